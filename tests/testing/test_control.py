"""A served issuer steered over HTTP, as demos and other processes do it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tokenward import AuthenticationError, Verifier, entra
from tokenward.testing import IssuerServer, LocalIssuer


class Steered:
    """An issuer that is known only by its address."""

    def __init__(self, issuer: LocalIssuer, server: IssuerServer) -> None:
        self.url = server.url
        self.policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)

    def ask(self, action: str, **body: object) -> dict[str, Any]:
        response = self.post(action, body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def post(self, action: str, body: object) -> httpx.Response:
        return httpx.post(f"{self.url}/control/{action}", json=body, trust_env=False, timeout=10)

    def state(self) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.url}/control/state", trust_env=False, timeout=10).json()
        return answer

    def verdict(self, token: str) -> str:
        """Of a new verifier, which fetches the keys over HTTP."""
        verifier = Verifier(self.policy, observer=None)
        try:
            verifier.verify(token)
        except AuthenticationError as rejection:
            return rejection.code
        finally:
            verifier.close()
        return "accepted"


@pytest.fixture
def local(issuer: LocalIssuer) -> Iterator[Steered]:
    with IssuerServer(issuer, control=True) as server:
        yield Steered(issuer, server)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("kind", ["user", "app", "guest"])
def test_it_mints_tokens_that_verify(local: Steered, kind: str, version: str) -> None:
    assert local.verdict(local.ask("mint", kind=kind, version=version)["token"]) == "accepted"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"lifetime": -5}, "token_expired", id="expired"),
        pytest.param({"without": ["exp"]}, "claim_missing", id="without exp"),
        pytest.param({"claims": {"aud": "other"}}, "audience_not_accepted", id="claims"),
        pytest.param({"header": {"kid": "nobody"}}, "unknown_key", id="header"),
        pytest.param({"key": "stranger"}, "signature_invalid", id="stranger"),
        pytest.param({"algorithm": "none"}, "algorithm_not_allowed", id="alg none"),
        pytest.param({"kind": "databricks"}, "audience_not_accepted", id="Databricks"),
        pytest.param({"kind": "id", "claims": {"azp": "x"}}, "token_type_not_accepted", id="ID token"),
        pytest.param({"kind": "raw", "claims": {"iss": "https://idp.example/"}}, "issuer_not_trusted", id="raw"),
    ],
)
def test_it_mints_bad_tokens_on_request(local: Steered, body: dict[str, object], code: str) -> None:
    assert local.verdict(local.ask("mint", **body)["token"]) == code


@pytest.mark.parametrize(
    ("body", "scopes", "roles"),
    [
        pytest.param({"kind": "user", "scopes": ["a", "b"], "roles": ["R"]}, {"a", "b"}, {"R"}, id="a user"),
        pytest.param({"kind": "guest", "scopes": ["a"], "roles": ["R"]}, {"a"}, {"R"}, id="a guest"),
        pytest.param({"kind": "app", "roles": ["R", "S"]}, set(), {"R", "S"}, id="an app"),
        pytest.param({"roles": ["R"]}, {"access_as_user"}, {"R"}, id="whoever it mints by default"),
    ],
)
def test_scopes_and_roles_are_those_that_were_asked_for(
    local: Steered, body: dict[str, object], scopes: set[str], roles: set[str]
) -> None:
    verifier = Verifier(local.policy, observer=None)
    with contextlib.closing(verifier):
        identity = verifier.verify(local.ask("mint", **body)["token"])
    assert (set(identity.scopes), set(identity.roles)) == (scopes, roles)


def test_it_rotates_on_request(local: Steered) -> None:
    old = local.ask("mint")["token"]
    kid = local.ask("rotate", keep_old=False)["kid"]
    state = local.state()
    assert (state["signing"], state["keys"]) == (kid, [kid])
    assert [local.verdict(old), local.verdict(local.ask("mint")["token"])] == ["unknown_key", "accepted"]


def test_a_published_key_can_be_asked_to_sign(local: Steered) -> None:
    old = local.state()["signing"]
    local.ask("rotate")
    assert local.verdict(local.ask("mint", key=old)["token"]) == "accepted"


def test_it_fails_and_recovers_on_request(local: Steered) -> None:
    token = local.ask("mint")["token"]
    assert local.ask("fail", mode="status", status=500)["fault"] == "status"
    assert local.verdict(token) == "keys_unavailable"
    assert local.ask("recover")["fault"] is None
    assert local.verdict(token) == "accepted"


def test_it_goes_down_for_as_long_as_told_and_comes_back_by_itself(local: Steered) -> None:
    token = local.ask("mint")["token"]
    local.ask("fail", mode="down", seconds=2)
    with pytest.raises(httpx.ConnectError):
        local.state()
    deadline = time.monotonic() + 15
    while True:
        try:
            assert local.state()["fault"] is None
            break
        except httpx.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert local.verdict(token) == "accepted"


def test_it_notes_what_it_was_asked(issuer: LocalIssuer, local: Steered) -> None:
    local.verdict(local.ask("mint")["token"])
    assert local.state()["requests"][-1] == f"{local.url}/{issuer.tenant}/discovery/v2.0/keys"


@pytest.mark.parametrize(
    ("action", "body"),
    [
        pytest.param("mint", {"kind": "prince"}, id="unknown kind"),
        pytest.param("mint", {"colour": 1}, id="unknown argument"),
        pytest.param("mint", {"roles": "R"}, id="roles that are no list"),
        pytest.param("mint", {"version": "3.0"}, id="unknown version"),
        pytest.param("mint", {"lifetime": "long"}, id="lifetime that is no number"),
        pytest.param("mint", {"claims": []}, id="claims that are no object"),
        pytest.param("mint", {"header": "x"}, id="header that is no object"),
        pytest.param("mint", {"without": "exp"}, id="without that is no list"),
        pytest.param("mint", {"key": "nobody"}, id="unknown key"),
        pytest.param("mint", {"algorithm": "XS1"}, id="unknown algorithm"),
        pytest.param("fail", {}, id="no mode"),
        pytest.param("fail", {"mode": "explode"}, id="unknown mode"),
        pytest.param("fail", {"mode": "down"}, id="down for ever"),
        pytest.param("fail", {"mode": "slow", "seconds": "2"}, id="seconds that are no number"),
        pytest.param("mint", [], id="not an object"),
    ],
)
def test_a_control_request_that_makes_no_sense_is_answered_400_and_says_why(local: Steered, action: str, body: object) -> None:
    response = local.post(action, body)
    assert response.status_code == 400
    assert response.json()["error"]
    assert local.state()["fault"] is None


@pytest.mark.parametrize("body", [b"{", b"\xff"], ids=["cut JSON", "no UTF-8"])
def test_a_control_body_that_cannot_be_read_is_answered_400(local: Steered, body: bytes) -> None:
    response = httpx.post(f"{local.url}/control/mint", content=body, trust_env=False, timeout=10)
    assert response.status_code == 400


@pytest.mark.parametrize("length", ["300000", "-1", "x", "\u00b2"], ids=["too long", "negative", "no number", "no ASCII digit"])
def test_a_control_body_of_impossible_length_is_answered_400_unread(local: Steered, length: str) -> None:
    port = httpx.URL(local.url).port or 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"POST /control/mint HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode("latin-1"))
        assert client.recv(64).split()[1] == b"400"


def test_an_unknown_control_request_is_told_which_there_are(local: Steered) -> None:
    response = local.post("explode", {})
    assert response.status_code == 404
    assert "POST /control/mint" in response.json()["error"]


def test_odd_keys_are_published_on_request(local: Steered) -> None:
    assert "odd-akp" in local.ask("odd-keys")["keys"]
    assert local.verdict(local.ask("mint", key=local.state()["signing"])["token"]) == "accepted"


def test_an_outage_that_was_ended_early_does_not_end_the_next_fault(issuer: LocalIssuer, local: Steered) -> None:
    local.ask("fail", mode="down", seconds=0.2)
    issuer.recover()
    issuer.fail("html")
    for thread in threading.enumerate():
        if thread.name == "local-issuer-outage":
            thread.join(10)
    assert local.state()["fault"] == "html"


def test_an_issuer_that_is_not_entras_mints_raw_tokens_only() -> None:
    idp = LocalIssuer.oidc()
    with IssuerServer(idp, control=True) as server:
        refused = httpx.post(f"{server.url}/control/mint", json={"kind": "user"}, trust_env=False)
        minted = httpx.post(f"{server.url}/control/mint", json={"kind": "raw", "claims": {"iss": idp.issuer}}, trust_env=False)
    assert (refused.status_code, minted.status_code) == (400, 200)
    assert minted.json()["token"].count(".") == 2
