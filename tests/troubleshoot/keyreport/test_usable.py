"""What the report calls usable is the verifier's own word: it accepts tokens of these keys, and of no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tokenward import Issuer, KeysUnavailable, Policy, TokenRejected, Verifier, entra
from tokenward.keys import jwk, keyset, metadata
from tokenward.keys.decision import Lease
from tokenward.keys.freshness import Freshness
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.testing import IssuerServer, LocalIssuer, SigningKey
from tokenward.troubleshoot.keyreport.report import KeyReport, keys_of


def _policy(issuer: LocalIssuer) -> Issuer:
    tenant = issuer.tenant
    return Issuer(
        f"https://login.microsoftonline.com/{tenant}/v2.0",
        audiences=[issuer.client_id],
        algorithms=["RS256", "ES256"],
        discovery_url=f"{issuer.origin}/{tenant}/v2.0/.well-known/openid-configuration",
        cloud_instance_name="microsoftonline.com",
    )


def _usable(report: KeyReport) -> dict[str | None, bool]:
    return {row.kid: row.usable for row in report.keys}


def test_a_key_is_usable_if_and_only_if_the_verifier_accepts_its_tokens(issuer: LocalIssuer, served: IssuerServer) -> None:
    signers = {key.kid: key for key in issuer.publish_odd_keys().values()} | {issuer.signing_key.kid: issuer.signing_key}
    policy = _policy(issuer)
    verifier = Verifier(Policy([policy]), clock=issuer.clock)
    accepted = {kid: _accepts(verifier, issuer.user_token(key=key)) for kid, key in signers.items()}
    verifier.close()
    usable = _usable(keys_of(policy))
    assert {kid: usable[kid] for kid in signers} == accepted
    assert set(accepted.values()) == {True, False}


def _accepts(verifier: Verifier, token: str) -> bool:
    try:
        verifier.verify(token)
    except (TokenRejected, KeysUnavailable):
        return False
    return True


@pytest.mark.parametrize(
    ("module", "rule", "laxer", "kid"),
    [
        pytest.param(jwk, "RSA_BITS", range(1024, 8193), "odd-small", id="the size of RSA keys"),
        pytest.param(jwk, "_require_use", lambda members: None, "odd-encryption", id="use"),
        pytest.param(keyset, "MAX_SAME_KID", 0, None, id="how many keys a kid may have"),
        pytest.param(keyset, "MAX_KEYS", 3, None, id="how many keys a set may have"),
    ],
)
def test_a_change_of_the_verifiers_rules_shows_in_the_report(
    issuer: LocalIssuer, served: IssuerServer, monkeypatch: pytest.MonkeyPatch, module: Any, rule: str, laxer: object, kid: str
) -> None:
    issuer.publish_odd_keys()
    name = kid or issuer.signing_key.kid
    before = _usable(keys_of(_policy(issuer)))[name]
    monkeypatch.setattr(module, rule, laxer)
    report = keys_of(_policy(issuer))
    assert _usable(report).get(name, False) is (not before)


def test_what_the_verifier_says_of_the_discovery_document_is_the_verdict(
    publishing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys_of(publishing.issuer).verdict == "usable"
    monkeypatch.setattr(metadata, "require_safe_url", _refuse)
    report = keys_of(publishing.issuer)
    assert (report.verdict, report.failure) == ("refused", "metadata: not to our taste")


def _refuse(url: str, *, loopback: bool) -> None:
    raise ValueError("not to our taste")


@pytest.mark.parametrize("max_age", [None, 0.0, 15.0, 299.0, 1000.0, 86400.0])
def test_the_refresh_told_is_the_state_machines(publishing: Any, max_age: float | None) -> None:
    publishing.sent["cache-control"] = None if max_age is None else f"max-age={max_age:.0f}"
    report = keys_of(publishing.issuer)
    state = Freshness(Rhythm(jitter=0.0))
    lease = state.force(1.0, 1.0)
    assert isinstance(lease, Lease)
    state.fetched(lease, keyset.read_keyset(publishing.jwks()), 1.0, 1.0, max_age=report.max_age)
    assert state.snapshot is not None
    assert (report.max_age, report.refresh_after) == (max_age, state.snapshot.interval)


def test_no_secret_of_a_published_key_leaves_the_report(publishing: Any) -> None:
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
    rsa = publishing.keys[0].jwk()
    publishing.listed = [{**rsa, "d": secret, "p": secret}, {"kty": "oct", "kid": "s", "k": secret}, {"kid": secret * 3}]
    report = keys_of(publishing.issuer)
    assert [caution.weight for caution in report.cautions][:2] == ["critical", "critical"]
    assert secret not in repr(report) + str(report.to_json())


def test_an_entra_issuer_is_found_where_its_policy_finds_it(new_key: Callable[[], SigningKey]) -> None:
    tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
    issuer = LocalIssuer(tenant, new_key=new_key)
    for name in (f"https://sts.windows.net/{tenant}/", f"https://login.microsoftonline.com/{tenant}/v2.0"):
        policy = entra.api(issuer.client_id, [tenant])
        expected = next(one.location.name for one in policy.issuers if one.for_tenant(tenant) == name)
        report = keys_of(name, fetch=issuer.fetch)
        assert report.discovery is not None
        assert (report.verdict, report.issuer, report.discovery.url) == ("usable", name, expected)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(
    "bound",
    [
        pytest.param("https://login.microsoftonline.com/{tenantid}/v2.0", id="version 2.0"),
        pytest.param("https://sts.windows.net/{tenantid}/", id="version 1.0"),
        pytest.param("https://other.example/{tenantid}/", id="the same tenant's id below another host"),
    ],
)
def test_a_binding_is_judged_as_the_verifier_judges_it(issuer: LocalIssuer, version: Any, bound: str) -> None:
    def fetch(request: FetchRequest) -> FetchResponse:
        answer = issuer.fetch(request)
        document = json.loads(answer.body)
        document["keys"] = [{**jwk, "issuer": bound} for jwk in document.get("keys", [])] or None
        return answer if document["keys"] is None else FetchResponse(200, answer.headers, json.dumps(document).encode())

    policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
    own = next(each for each in policy.issuers if each.required_values["ver"] == version)
    (usable,) = _usable(keys_of(own, fetch=fetch)).values()
    verifier = Verifier(policy, clock=issuer.clock, fetch=fetch, observer=None)
    assert usable == _accepts(verifier, issuer.user_token(version))
    verifier.close()
