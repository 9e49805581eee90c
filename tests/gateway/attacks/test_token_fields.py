"""A token cannot send anybody anywhere: no field of it is ever an address that is asked, whether or not the signature holds."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tokenward.testing import SigningKey

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def trap() -> Iterator[Any]:
    """A listener of the attacker's, with keys of the attacker's."""
    listener = socket.create_server(("127.0.0.1", 0))
    came: list[bytes] = []

    def accept() -> None:
        try:
            while True:
                connection, _ = listener.accept()
                came.append(b"somebody")
                connection.close()
        except OSError:
            return

    threading.Thread(target=accept, daemon=True).start()
    yield type("Trap", (), {"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "came": came})
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture(scope="module")
def own_key() -> SigningKey:
    """Of the attacker, who signs what he likes with it."""
    return SigningKey.generate("RS256")


HEADERS: dict[str, Callable[[str, SigningKey], dict[str, object]]] = {
    "jku": lambda url, key: {"jku": f"{url}/keys"},
    "x5u": lambda url, key: {"x5u": f"{url}/chain.pem"},
    "jwk": lambda url, key: {"jwk": key.jwk()},
    "jwk with addresses": lambda url, key: {"jwk": {"kty": "RSA", "x5u": f"{url}/chain.pem", "n": "AQAB", "e": "AQAB"}},
    "x5c": lambda url, key: {"x5c": [base64.b64encode(url.encode()).decode()]},
    "kid as an address": lambda url, key: {"kid": f"{url}/keys/1"},
    "kid as a path": lambda url, key: {"kid": "../../../../etc/passwd"},
    "kid as a file": lambda url, key: {"kid": "file:///dev/null"},
    "typ and cty as addresses": lambda url, key: {"cty": url, "typ": "JWT"},
    "everything": lambda url, key: {"jku": url, "x5u": url, "kid": url, "x5t": url, "iss": url},
}
CLAIMS: dict[str, Callable[[str], dict[str, object]]] = {
    "iss": lambda url: {"iss": f"{url}/"},
    "iss beside the real one's form": lambda url: {"iss": f"{url}/72f988bf-86f1-41af-91ab-2d7cd011db47/"},
    "iss with a user": lambda url: {"iss": f"https://sts.windows.net@{url.removeprefix('http://')}/"},
    "tid as a path": lambda url: {"tid": f"../../{url}"},
    "idp, and sources of groups": lambda url: {
        "idp": url,
        "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": f"{url}/groups"}},
    },
    "aud": lambda url: {"aud": url},
    "jwks_uri": lambda url: {"jwks_uri": url, "discovery_url": url, "token_endpoint": url, "sub_jwk": {"x5u": url}},
}


@pytest.mark.parametrize("signed", [True, False], ids=["by the issuer", "by the attacker"])
@pytest.mark.parametrize("how", HEADERS)
def test_no_header_of_a_token_is_asked(
    gate: Any, upstream: Any, tenant: Any, trap: Any, own_key: SigningKey, how: str, signed: bool
) -> None:
    key = None if signed else own_key
    token = tenant.databricks_token(header=HEADERS[how](trap.url, own_key), key=key)
    answer = _ask(gate, token)
    assert answer.status in ((200, 401) if signed else (401,))
    assert trap.came == []
    assert all(url.endswith(("/openid-configuration", "/keys")) for url in tenant.requests)
    assert len(upstream.requests) == (answer.status == 200)


@pytest.mark.parametrize("how", CLAIMS)
def test_no_claim_of_a_token_is_asked(gate: Any, upstream: Any, tenant: Any, trap: Any, own_key: SigningKey, how: str) -> None:
    for key in (None, own_key):
        _ask(gate, tenant.databricks_token(claims=CLAIMS[how](trap.url), key=key))
    assert trap.came == []
    assert all(url.endswith(("/openid-configuration", "/keys")) and "//127.0.0.1" in url for url in tenant.requests)
    assert not upstream.requests or how in ("idp, and sources of groups", "jwks_uri")


def test_a_token_without_a_signature_asks_nobody(gate: Any, upstream: Any, tenant: Any, trap: Any) -> None:
    claims = tenant.databricks_token(claims={"iss": trap.url}).split(".")[1]
    for alg in ("none", "HS256", "RS256"):
        header = (
            base64.urlsafe_b64encode(json.dumps({"alg": alg, "jku": trap.url, "kid": trap.url}).encode()).rstrip(b"=").decode()
        )
        for signature in ("", "AAAA"):
            assert _ask(gate, f"{header}.{claims}.{signature}").status == 401
    assert trap.came == []
    assert upstream.raw == b""


def _ask(gate: Any, token: str) -> Any:
    return gate.ask(b"Authorization: Bearer " + token.encode(), bearer=False)
