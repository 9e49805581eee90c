"""A token from each mint, judged by the real verifiers with the keys that the issuer publishes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest

from tokenward import AsyncVerifier, Identity, Policy, TokenRejected, Verifier, entra
from tokenward.testing import ABSENT, DEFAULT_CALLER, HandClock, IssuerServer, LocalIssuer

Verify = Callable[[Policy, str], Identity]
Run = Callable[..., Identity]


def api(issuer: LocalIssuer) -> Policy:
    return entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)


def databricks(issuer: LocalIssuer) -> Policy:
    return entra.databricks(issuer.tenant, cloud=issuer.cloud)


GOOD = [
    pytest.param(api, lambda i: i.user_token("1.0"), "user", id="v1 user"),
    pytest.param(api, lambda i: i.user_token("2.0"), "user", id="v2 user"),
    pytest.param(api, lambda i: i.app_token("1.0"), "app", id="v1 app"),
    pytest.param(api, lambda i: i.app_token("2.0"), "app", id="v2 app"),
    pytest.param(api, lambda i: i.guest_token("1.0"), "user", id="v1 guest"),
    pytest.param(api, lambda i: i.guest_token("2.0"), "user", id="v2 guest"),
    pytest.param(databricks, lambda i: i.databricks_token(), "user", id="Databricks"),
]


@pytest.fixture(params=["in process", "over HTTP"])
def reached(request: pytest.FixtureRequest) -> bool:
    """Whether the keys come over real HTTP; the issuer is served then."""
    over_http: bool = request.param == "over HTTP"
    if over_http:
        request.getfixturevalue("served")
    return over_http


@pytest.fixture
def verify(issuer: LocalIssuer, reached: bool, wall: HandClock) -> Iterator[Verify]:
    """Verifier.verify, each time with a new verifier."""
    verifiers: list[Verifier] = []

    def _verify(policy: Policy, token: str) -> Identity:
        verifiers.append(Verifier(policy, clock=wall, fetch=None if reached else issuer.fetch, observer=None))
        return verifiers[-1].verify(token)

    yield _verify
    for verifier in verifiers:
        verifier.close()


@pytest.mark.parametrize(("policy", "mint", "kind"), GOOD)
def test_a_good_token_of_each_kind_verifies(
    issuer: LocalIssuer, verify: Verify, policy: Callable[[LocalIssuer], Policy], mint: Callable[[LocalIssuer], str], kind: str
) -> None:
    identity = verify(policy(issuer), mint(issuer))
    assert (identity.kind, identity.tenant) == (kind, issuer.tenant)
    assert identity.claims["uti"]


@pytest.mark.parametrize(("policy", "mint", "kind"), GOOD)
def test_a_good_token_of_each_kind_verifies_in_an_event_loop(
    issuer: LocalIssuer,
    reached: bool,
    wall: HandClock,
    run: Callable[[Callable[[], Awaitable[Identity]]], Identity],
    policy: Callable[[LocalIssuer], Policy],
    mint: Callable[[LocalIssuer], str],
    kind: str,
) -> None:
    verifier = AsyncVerifier(policy(issuer), clock=wall, fetch=None if reached else issuer.async_fetch, observer=None)

    async def _verify() -> Identity:
        return await verifier.verify(mint(issuer))

    assert run(_verify).kind == kind


def test_several_tenants_are_served_by_the_common_documents(issuer: LocalIssuer, verify: Verify) -> None:
    other = "11111111-2222-3333-4444-555555555555"
    policy = entra.api(issuer.client_id, [issuer.tenant, other], cloud=issuer.cloud)
    for version in ("1.0", "2.0"):
        for tenant in (issuer.tenant, other):
            assert verify(policy, issuer.user_token(version, tenant=tenant)).tenant == tenant


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_an_id_token_is_refused_where_it_has_an_access_tokens_claims_too(
    issuer: LocalIssuer, verify: Verify, version: str
) -> None:
    caller = {"appid" if version == "1.0" else "azp": DEFAULT_CALLER}
    token = issuer.id_token(version, claims=caller)  # type: ignore[arg-type]
    with pytest.raises(TokenRejected) as raised:
        verify(api(issuer), token)
    assert raised.value.code == "token_type_not_accepted"


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_plain_id_token_is_refused_for_lack_of_a_calling_application(issuer: LocalIssuer, verify: Verify, version: str) -> None:
    token = issuer.id_token(version, claims={"nonce": ABSENT})  # type: ignore[arg-type]
    with pytest.raises(TokenRejected) as raised:
        verify(api(issuer), token)
    assert raised.value.code == "claim_missing"


def test_a_guest_is_known_for_one(issuer: LocalIssuer, verify: Verify) -> None:
    members_only = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud, guests=False)
    for version in ("1.0", "2.0"):
        with pytest.raises(TokenRejected) as raised:
            verify(members_only, issuer.guest_token(version))
        assert raised.value.code == "guest_not_allowed"
        assert verify(members_only, issuer.user_token(version)).kind == "user"
        assert verify(members_only, issuer.app_token(version)).kind == "app"


def test_a_policy_made_before_serving_still_finds_the_issuer_in_process(issuer: LocalIssuer, wall: HandClock) -> None:
    policy = api(issuer)
    with IssuerServer(issuer):
        verifier = Verifier(policy, clock=wall, fetch=issuer.fetch, observer=None)
        with pytest.raises(TokenRejected):
            verifier.verify(issuer.user_token(lifetime=-1))
        verifier.close()
