"""No report holds the token, its signature or what it carries; a redacted one holds no claim's value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenward.redaction import fingerprint_of
from tokenward.testing import LocalIssuer

CHECK_MEMBERS = {"check", "expected", "seen", "verdict", "code", "fix", "source"}


def _texts(issuer: LocalIssuer) -> dict[str, str]:
    return {
        "good": issuer.user_token(),
        "expired guest": issuer.guest_token(lifetime=-5, claims={"name": "Gil \u202e<b>Guest"}),
        "another tenant": issuer.user_token(tenant="9f1c5a27-0b8e-4c63-a7d2-64e3b8f01c95"),
        "another audience": issuer.user_token(audience="a-private-audience"),
        "odd claims": issuer.user_token(claims={"iss": "https://secret-issuer.example/", "ver": "secret-version", "sub": ["x"]}),
    }


@pytest.mark.parametrize("which", ["good", "expired guest", "another tenant", "another audience", "odd claims"])
def test_neither_the_token_nor_its_signature_is_in_a_report(bench: Any, which: str) -> None:
    token = _texts(bench.issuer)[which]
    inner = bench.issuer.user_token()
    for pasted in (token, f"Bearer {token}", json.dumps({"access_token": token})):
        report = bench.explain(pasted)
        text = json.dumps(report.to_json()) + repr(report) + str(report)
        parts = token.split(".")
        assert [part for part in parts if part in text] == []
        assert inner.split(".")[2] not in text
        assert report.fingerprint == fingerprint_of(token.encode())


def test_a_token_inside_a_claim_is_masked(bench: Any) -> None:
    inner = bench.issuer.user_token()
    report = bench.explain(bench.issuer.user_token(claims={"act": {"token": inner}, "list": [inner], "note": f"see {inner}"}))
    document = report.to_json()
    assert inner.split(".")[1] not in json.dumps(document)
    assert "<token>" in json.dumps(document["claims"])


@pytest.mark.parametrize("which", ["good", "expired guest", "another tenant", "another audience", "odd claims"])
def test_a_redacted_report_holds_no_value_of_a_claim(bench: Any, which: str) -> None:
    report = bench.explain(_texts(bench.issuer)[which], bench.policy(guests=False, required_scopes=["some.scope"]))
    text = json.dumps(report.to_json(redact=True))
    ours = json.dumps([bench.issuer.client_id, bench.issuer.tenant, "https://sts.windows.net/", "1.0", "2.0"])
    values = [value for value in (report.claims or {}).values() if isinstance(value, str) and len(value) > 3]
    own = [value for value in values if value not in ours and bench.issuer.tenant not in value]
    assert own
    assert [value for value in own if value in text] == []


def test_the_json_is_of_one_form(bench: Any) -> None:
    for text in (*_texts(bench.issuer).values(), "nothing like a token"):
        document = bench.explain(text).to_json()
        assert list(document) == [
            *(
                "what",
                "verdict",
                "code",
                "fingerprint",
                "at",
                "issuer",
                "header",
                "claims",
                "checks",
                "notes",
                "next",
                "clock_skew",
            )
        ]
        assert set(document["what"]) == {"kind", "sentence", "advice"}
        assert all(set(check) == CHECK_MEMBERS for check in document["checks"])
        assert {check["verdict"] for check in document["checks"]} <= {"ok", "failed", "open"}
        json.dumps(document)


def test_what_stands_in_place_of_a_time_is_redacted_as_other_claims_are(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token(claims={"iat": "ada@contoso.example"}))
    assert "ada@contoso.example" in json.dumps(report.to_json())
    assert "ada@contoso.example" not in json.dumps(report.to_json(redact=True))
