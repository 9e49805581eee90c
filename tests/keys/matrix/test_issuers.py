"""Discovery that leads astray, and Entra's keys, which are bound to tenants and clouds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import trio

from tokenward import AsyncVerifier, TokenRejected, Verifier, entra
from tokenward.keys.decision import Unavailable, Use
from tokenward.testing import ABSENT, FaultServer, LocalIssuer, SigningKey, faults
from tokenward.testing.odd_keys import PERSONAL_ACCOUNTS

Rig = Any  # of this folder's conftest
OpenRig = Callable[..., Rig]
HOUR = 3600.0
METADATA = "/.well-known/openid-configuration"
OTHER = "9f1c0000-0000-4000-8000-0000000000aa"


# -- discovery -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "said"),
    [
        pytest.param({"issuer": "https://evil.example/"}, "evil.example", id="another issuer"),
        pytest.param({"issuer": "https://idp.example"}, "https://idp.example", id="without the slash"),
        pytest.param({"issuer": 5}, "no text", id="an issuer that is no text"),
        pytest.param({"jwks_uri": "http://idp.example/jwks"}, "not https", id="keys over http"),
        pytest.param({"jwks_uri": "file:///etc/passwd"}, "not a plain URL", id="keys in a file"),
        pytest.param({"jwks_uri": None}, "jwks_uri is missing", id="no keys"),
    ],
)
def test_f46_metadata_that_lead_astray_are_a_failure(open_rig: OpenRig, members: dict[str, object], said: str) -> None:
    rig = open_rig(discovery=True)
    rig.warm()
    rig.pass_time(25 * HOUR / 1.1)
    metadata = {**rig.issuer.metadata(), **members}
    rig.source._discovered = None  # it is looked at once a day, which is as long as keys live
    rig.server.always(faults.document(metadata), path=METADATA)
    assert isinstance(rig.find(rig.kid), Use)
    failed = rig.failed()
    assert failed.kind == "metadata"
    assert said in failed.detail
    assert isinstance(rig.find(rig.kid), Use)
    rig.server.recover()
    rig.pass_time(61)
    assert isinstance(rig.find(rig.kid), Use)
    rig.refreshed()


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/jwks",
        "https://localhost/jwks",
        "https://169.254.169.254/jwks",
        "https://[::1]/jwks",
        "http://127.0.0.1/",
    ],
)
def test_f46_a_distant_document_does_not_send_us_to_this_machine(far_away: Callable[..., Rig], address: str) -> None:
    rig = far_away(f"https://idp.example{METADATA}", discovery=True)
    rig.server.always(faults.document({**rig.issuer.metadata(), "jwks_uri": address}), path=METADATA)
    assert isinstance(rig.find(rig.kid), Unavailable)
    assert rig.failed().kind == "metadata"
    assert [asked.path for asked in rig.server.asked] == ["idp.example:443", METADATA]


def test_f46_keys_may_be_on_another_host_than_their_issuer(far_away: Callable[..., Rig]) -> None:
    rig = far_away(f"https://idp.example{METADATA}", discovery=True)
    rig.server.always(faults.document({**rig.issuer.metadata(), "jwks_uri": "https://idp.example:8443/jwks"}), path=METADATA)
    assert isinstance(rig.find(rig.kid), Use)
    assert [asked.path for asked in rig.server.asked[2:]] == ["idp.example:8443", "/jwks"]


def test_f46_after_a_404_one_look_at_the_discovery_document_finds_the_new_place(open_rig: OpenRig) -> None:
    rig = open_rig(discovery=True)
    rig.warm()
    rig.pass_time(2 * HOUR)
    moved = {**rig.issuer.metadata(), "jwks_uri": f"{rig.server.url}/moved"}
    rig.server.always(faults.status(404), path="/jwks")
    rig.server.always(faults.document(moved), path=METADATA)
    rig.server.always(faults.document(rig.issuer.jwks()), path="/moved")
    assert isinstance(rig.find(rig.kid), Use)
    assert rig.failed().detail == "HTTP 404"
    rig.pass_time(61)
    assert isinstance(rig.find(rig.kid), Use)
    rig.refreshed()
    assert [asked.path for asked in rig.server.asked] == [METADATA, "/jwks", "/jwks", METADATA, "/moved"]


# -- Entra's keys --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def entra_keys() -> list[SigningKey]:
    return [SigningKey.generate("RS256") for _ in range(2)]


@pytest.fixture
def tenant(entra_keys: list[SigningKey]) -> Iterator[LocalIssuer]:
    """An Entra tenant over HTTP, with one key."""
    issuer = LocalIssuer(keys=entra_keys[:1])
    with FaultServer(issuer) as server:
        issuer.server = server  # type: ignore[attr-defined]
        yield issuer


@pytest.fixture
def code_of(driver: str, tenant: LocalIssuer) -> Callable[[str], str]:
    """`code_of(token)`: "accepted", or the code of its rejection, by a verifier of two tenants."""
    policy = entra.api(tenant.client_id, [tenant.tenant, OTHER], cloud=tenant.cloud)

    def verified(token: str) -> object:
        if driver == "threads":
            verifier = Verifier(policy)
            try:
                return verifier.verify(token)
            finally:
                verifier.close()
        verifying = AsyncVerifier(policy)
        return asyncio.run(verifying.verify(token)) if driver == "asyncio" else trio.run(verifying.verify, token)

    def judge(token: str) -> str:
        try:
            verified(token)
        except TokenRejected as rejection:
            return rejection.code
        return "accepted"

    return judge


def bound_to(name: str) -> str:
    return f"https://login.microsoftonline.com/{name}/v2.0"


def test_f47_a_key_of_all_tenants_serves_each_of_them(tenant: LocalIssuer, code_of: Callable[[str], str]) -> None:
    assert tenant.jwks()["keys"][0]["issuer"] == bound_to("{tenantid}")
    for version in ("1.0", "2.0"):
        for whose in (tenant.tenant, OTHER):
            assert code_of(tenant.user_token(version, tenant=whose)) == "accepted"


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_f47_a_key_of_one_tenant_serves_no_other(tenant: LocalIssuer, code_of: Callable[[str], str], version: Any) -> None:
    bind(tenant, bound_to(tenant.tenant))
    assert code_of(tenant.user_token(version)) == "accepted"
    assert code_of(tenant.user_token(version, tenant=OTHER)) == "key_not_for_issuer"


def test_f47_the_key_of_personal_accounts_serves_no_tenant(tenant: LocalIssuer, code_of: Callable[[str], str]) -> None:
    bind(tenant, bound_to(PERSONAL_ACCOUNTS))
    assert code_of(tenant.user_token()) == "key_not_for_issuer"


@pytest.mark.parametrize(
    ("tid", "code"),
    [
        pytest.param(ABSENT, "tenant_not_allowed", id="missing"),
        pytest.param("common", "tenant_not_allowed", id="no GUID"),
        pytest.param("{tenantid}", "tenant_not_allowed", id="the placeholder"),
        pytest.param(OTHER, "tenant_not_allowed", id="another than in iss"),
        pytest.param(5, "tenant_not_allowed", id="a number"),
    ],
)
def test_f47_a_token_whose_tid_is_none_is_refused(
    tenant: LocalIssuer, code_of: Callable[[str], str], tid: object, code: str
) -> None:
    assert code_of(tenant.user_token(claims={"tid": tid})) == code


@pytest.mark.parametrize("first", ["the right one", "the wrong one"])
def test_f47_of_two_keys_under_one_kid_the_one_of_the_tenant_serves(
    tenant: LocalIssuer, code_of: Callable[[str], str], entra_keys: list[SigningKey], first: str
) -> None:
    right, wrong = entra_keys[0], entra_keys[1].renamed(entra_keys[0].kid)
    published = [
        {**right.jwk(), "issuer": bound_to(tenant.tenant)},
        {**wrong.jwk(), "issuer": bound_to(OTHER)},
    ]
    server_of(tenant).always(faults.key_set(lambda _: published if first == "the right one" else published[::-1]))
    assert code_of(tenant.user_token(key=right)) == "accepted"
    assert code_of(tenant.user_token(key=wrong)) != "accepted"
    assert code_of(tenant.user_token(key=wrong, tenant=OTHER)) == "accepted"
    assert code_of(tenant.user_token(key=right, tenant=OTHER)) != "accepted"


@pytest.mark.parametrize(
    ("cloud", "code"),
    [
        pytest.param("microsoftonline.us", "key_not_for_issuer", id="another cloud"),
        pytest.param("microsoftonline.com", "accepted", id="this cloud"),
    ],
)
def test_f48_a_key_of_another_cloud_serves_nobody(
    tenant: LocalIssuer, code_of: Callable[[str], str], cloud: str, code: str
) -> None:
    server_of(tenant).always(faults.key_set(lambda keys: [{**jwk, "cloud_instance_name": cloud} for jwk in keys]))
    assert code_of(tenant.user_token()) == code
    assert code_of(tenant.user_token("1.0")) in (code, "accepted"), "v1's keys name no cloud"


def bind(issuer: LocalIssuer, name: str) -> None:
    server_of(issuer).always(faults.key_set(lambda keys: [{**jwk, "issuer": name} for jwk in keys]))


def server_of(issuer: Any) -> FaultServer:
    server: FaultServer = issuer.server
    return server


# -- one kid, new material, as a verifier sees it ----------------------------------------------------------------------------


_RUN = {
    "asyncio": lambda function, *arguments: asyncio.run(function(*arguments)),
    "trio": trio.run,
}


@pytest.mark.parametrize("remember", [0, 4096], ids=["not remembered", "remembered"])
def test_f26_an_old_signature_is_refused_once_its_kid_has_new_material(
    driver: str, wall: Any, mono: Any, entra_keys: list[SigningKey], remember: int
) -> None:
    old, new = entra_keys[0], entra_keys[1].renamed(entra_keys[0].kid)
    issuer = LocalIssuer(keys=[old], clock=wall)
    asynchronous = driver in ("asyncio", "trio")
    with FaultServer(issuer):
        policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
        make: Any = AsyncVerifier if asynchronous else Verifier
        verifier = make(policy, clock=wall, monotonic=mono, remember=remember)
        run = cast("Any", _RUN.get(driver, lambda function, *arguments: function(*arguments)))
        token = issuer.user_token(lifetime=24 * HOUR)
        for _ in range(2):
            run(verifier.verify, token)
        issuer.keys[:], issuer.signing_key = [new], new
        wall.advance(HOUR)
        mono.advance(HOUR)
        assert run(verifier.refresh)
        with pytest.raises(TokenRejected) as refused:
            run(verifier.verify, token)
        assert refused.value.code == "signature_invalid"
        run(verifier.verify, issuer.user_token())
        if not asynchronous:
            verifier.close()
