"""issued_tokens: the form of the one recorded token that Databricks issued."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenward import PolicyError
from tokenward.databricks.issued import issued_tokens
from tokenward.testing.tokens import compact

HOST = "adb-1234567890123456.7.azuredatabricks.net"


def _token(desk: Any, **changes: Any) -> str:
    claims = {
        "client_id": "databricks-cli",
        "scope": "offline_access all-apis",
        "iss": f"https://{HOST}/oidc",
        "aud": "1234567890123456",
        "sub": desk.user,
        "iat": desk.now,
        "exp": desk.now + 3600,
        "jti": "1",
    }
    return compact({"kid": "kid-RS256", "typ": "at+jwt", "alg": "RS256"}, claims | changes, desk.keys["RS256"], "RS256")


def _verifier(desk: Any) -> Any:
    def answers(url: str) -> bytes:
        if url == f"https://{HOST}/oidc/.well-known/oauth-authorization-server":
            keys = "https://norwayeast.azuredatabricks.net/oidc/jwks.json"
            return json.dumps({"issuer": f"https://{HOST}/oidc", "jwks_uri": keys}).encode()
        return str(desk.jwks("RS256")).encode()

    return desk.verifier(issued_tokens(HOST, 1234567890123456), answers=answers)


def test_a_token_of_the_recorded_form_is_accepted_with_keys_of_the_regional_host(desk: Any) -> None:
    verifier = _verifier(desk)
    identity = verifier.verify(_token(desk))
    verifier.close()
    assert (identity.subject, identity.client_id, identity.scopes) == (
        desk.user,
        "databricks-cli",
        {"offline_access", "all-apis"},
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"aud": "6543210987654321"}, "audience_not_accepted", id="another workspace's"),
        pytest.param({"iss": "https://adb-1.azuredatabricks.net/oidc"}, "issuer_not_trusted", id="another host's"),
        pytest.param({"exp": 1_800_000_000}, "token_expired", id="expired"),
        pytest.param({"sub": None}, "claim_missing", id="nobody's"),
    ],
)
def test_other_tokens_are_refused(desk: Any, changes: dict[str, Any], code: str) -> None:
    verifier = _verifier(desk)
    assert desk.verdict(verifier, _token(desk, **changes)) == code
    verifier.close()


@pytest.mark.parametrize(
    ("host", "workspace_id", "field"),
    [
        pytest.param("", 1, "host", id="no host"),
        pytest.param(5, 1, "host", id="a number for a host"),
        pytest.param("http://adb-1.azuredatabricks.net", 1, "host", id="not https"),
        pytest.param(f"https://{HOST}/login", 1, "host", id="a path"),
        pytest.param("<workspace-host>", 1, "host", id="a placeholder"),
        pytest.param(f"user:secret@{HOST}", 1, "host", id="credentials"),
        pytest.param(HOST, True, "workspace_id", id="a boolean"),
        pytest.param(HOST, "", "workspace_id", id="no workspace"),
        pytest.param(HOST, "my-workspace", "workspace_id", id="a name"),
        pytest.param(HOST, -1, "workspace_id", id="below zero"),
    ],
)
def test_what_names_no_workspace_is_refused(host: Any, workspace_id: Any, field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        issued_tokens(host, workspace_id)
    assert caught.value.field == field


def test_the_host_may_be_an_address() -> None:
    (issuer,) = issued_tokens(f"https://{HOST}/", "1").issuers
    assert issuer.issuer == f"https://{HOST}/oidc"
    assert issuer.audiences == ("1",)
