"""Hints: one line for the operator about every code, ending in something to do, and never quoting a token."""

from __future__ import annotations

from typing import Any

import pytest

from tokenward.errors import CODES, AudienceNotAccepted
from tokenward.hints import hint_for


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_a_hint_of_one_line(code: str) -> None:
    hint = CODES[code]().hint
    assert 20 <= len(hint) <= 160
    assert hint.isprintable()
    assert hint.endswith(".")


def test_no_two_codes_share_a_hint() -> None:
    hints = [CODES[code]().hint for code in CODES]
    assert len(set(hints)) == len(hints)


@pytest.mark.parametrize(
    ("code", "claim", "words"),
    [
        ("claim_missing", "azp", "ID token"),
        ("claim_missing", "appid", "ID token"),
        ("claim_missing", "exp", "lifetime"),
        ("claim_missing", "org", "issuer does not send"),
        ("issuer_not_trusted", "ver", "contradict"),
        ("token_type_not_accepted", "nonce header", "Graph"),
    ],
)
def test_a_hint_knows_the_usual_cause(code: str, claim: str, words: str) -> None:
    assert words in hint_for(code, claim, None, None)


def test_keys_that_are_never_fetched_are_not_called_newer_than_their_age(desk: Any) -> None:
    address = "https://idp.example/keys"
    rules = {"pinned": desk.rule(), "fetched": desk.rule(jwks=..., jwks_uri=address)}
    provider = desk.provider({address: desk.jwks()})
    verifiers = {name: desk.verifier(rule, fetch=provider) for name, rule in rules.items()}
    hints = {
        name: desk.rejection(lambda verifier=verifier: verifier.verify(desk.token(kid="no-such"))).hint
        for name, verifier in verifiers.items()
    }
    for verifier in verifiers.values():
        verifier.close()
    assert hints["fetched"] == hint_for("unknown_key", "kid", None, None)
    assert "key_age" in hints["fetched"]
    assert "fixed by the policy" in hints["pinned"]
    assert "key_age" not in hints["pinned"]
    assert (len(hints["pinned"]) <= 160, hints["pinned"].endswith(".")) == (True, True)


@pytest.mark.parametrize(
    "actual",
    [
        "00000003-0000-0000-c000-000000000000",
        "https://graph.microsoft.com",
        "https://graph.microsoft.com/",
        ["other", "https://graph.microsoft.com"],
    ],
)
def test_a_graph_token_is_recognised_by_its_audience(actual: object) -> None:
    hint = AudienceNotAccepted(claim="aud", expected=["api://jobs"], actual=actual).hint
    assert "Microsoft Graph" in hint
    assert "api://jobs/.default" in hint


def test_a_wrong_audience_names_the_scope_to_ask_for() -> None:
    assert "api://a/.default" in AudienceNotAccepted(claim="aud", expected=["b", "api://a/"], actual="other").hint
    assert "api://a/.default" in AudienceNotAccepted(claim="aud", expected="api://a", actual="other").hint
    assert AudienceNotAccepted(claim="aud", actual="other").hint


def test_no_hint_repeats_what_a_stranger_wrote(desk: Any) -> None:
    canary = "canary-text"
    changed = [{name: canary} for name in ("iss", "aud", "exp", "ver", "typ", "nonce", "tid", "azp")]
    verifier = desk.verifier(desk.rule(required_values={"ver": "1"}, clients=["x"]))
    for change in changed:
        assert canary not in desk.rejection(lambda change=change: verifier.verify(desk.token(desk.claims(**change)))).hint


@pytest.mark.parametrize(
    ("expected", "actual", "words"),
    [
        pytest.param(
            ["https://sts.windows.net/{tenantid}/"], "https://login.microsoftonline.com/TID/v2.0", "'2.0'", id="v2 to v1"
        ),
        pytest.param(
            ["https://sts.chinacloudapi.cn/TID/"], "https://login.partner.microsoftonline.cn/TID/v2.0", "'2.0'", id="China"
        ),
        pytest.param(["https://login.microsoftonline.us/TID/v2.0"], "https://sts.windows.net/TID/", "'1.0'", id="v1 to v2"),
        pytest.param(["https://sts.windows.net/TID/"], "https://sts.windows.net/TID/x", "to the letter", id="neither"),
        pytest.param(
            ["https://sts.windows.net/99999999-86f1-41af-91ab-2d7cd011db47/"],
            "https://login.microsoftonline.com/TID/v2.0",
            "to the letter",
            id="a foreign tenant",
        ),
        pytest.param(
            ["https://sts.chinacloudapi.cn/TID/"],
            "https://login.microsoftonline.com/TID/v2.0",
            "to the letter",
            id="another cloud",
        ),
        pytest.param(["https://sts.windows.net/TID/"], "https://login.evil.com/TID/v2.0", "to the letter", id="an evil host"),
        pytest.param(["https://idp.example/"], "https://sts.windows.net/TID/", "to the letter", id="not Entra's policy"),
    ],
)
def test_a_version_that_the_policy_leaves_out_is_named(expected: list[str], actual: str, words: str) -> None:
    tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
    hint = hint_for(
        "issuer_not_trusted", "iss", [name.replace("TID", tenant) for name in expected], actual.replace("TID", tenant)
    )
    assert words in hint
    assert tenant not in hint
