"""The local issuer as each of Entra's clouds, served over real HTTP and judged by the policies for that cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from tokenward import AuthenticationError, Policy, PolicyError, Verifier, entra
from tokenward.testing import HandClock, IssuerServer, LocalIssuer, SigningKey

Verdict = Callable[[Policy, str], str]

CLOUDS = [
    pytest.param(entra.PUBLIC, "microsoftonline.com", "sts.windows.net", "login.microsoftonline.com", id="public"),
    pytest.param(entra.US_GOV, "microsoftonline.us", "sts.windows.net", "login.microsoftonline.us", id="US government"),
    pytest.param(
        entra.CHINA, "partner.microsoftonline.cn", "sts.chinacloudapi.cn", "login.partner.microsoftonline.cn", id="China"
    ),
]
OTHERS = [
    pytest.param(entra.PUBLIC, entra.US_GOV, "2.0", id="public v2 for US government"),
    pytest.param(entra.US_GOV, entra.PUBLIC, "2.0", id="US government v2 for public"),
    pytest.param(entra.CHINA, entra.PUBLIC, "1.0", id="China v1 for public"),
    pytest.param(entra.CHINA, entra.US_GOV, "2.0", id="China v2 for US government"),
    pytest.param(entra.PUBLIC, entra.CHINA, "1.0", id="public v1 for China"),
    pytest.param(entra.PUBLIC, entra.CHINA, "2.0", id="public v2 for China"),
]
TOKENS = {
    "user": lambda issuer, version, aud: issuer.user_token(version, audience=aud),
    "app": lambda issuer, version, aud: issuer.app_token(version, audience=aud),
    "guest": lambda issuer, version, aud: issuer.guest_token(version, audience=aud),
}


@pytest.fixture
def verdict(wall: HandClock) -> Iterator[Verdict]:
    """ "accepted", or the code of the rejection, of a new verifier that fetches the keys over HTTP."""
    verifiers: list[Verifier] = []

    def _verdict(policy: Policy, token: str) -> str:
        verifiers.append(Verifier(policy, clock=wall, observer=None))
        try:
            verifiers[-1].verify(token)
        except AuthenticationError as rejection:
            return rejection.code
        return "accepted"

    yield _verdict
    for verifier in verifiers:
        verifier.close()


@pytest.fixture
def of_cloud(wall: HandClock, new_key: Callable[[], SigningKey]) -> Iterator[Callable[[entra.Cloud], LocalIssuer]]:
    """Makes an issuer of a cloud, served on loopback."""
    servers: list[IssuerServer] = []

    def _of(cloud: entra.Cloud) -> LocalIssuer:
        issuer = LocalIssuer(cloud=cloud, clock=wall, new_key=new_key)
        servers.append(IssuerServer(issuer).start())
        return issuer

    yield _of
    for server in servers:
        server.stop()


OfCloud = Callable[[entra.Cloud], LocalIssuer]


@pytest.mark.parametrize("kind", list(TOKENS))
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(("cloud", "name", "v1_host", "v2_host"), CLOUDS)
def test_each_kind_of_token_of_each_cloud_passes_that_clouds_policies(
    of_cloud: OfCloud, verdict: Verdict, cloud: entra.Cloud, name: str, v1_host: str, v2_host: str, version: str, kind: str
) -> None:
    issuer = of_cloud(cloud)
    api = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
    databricks = entra.databricks(issuer.tenant, cloud=issuer.cloud)
    assert verdict(api, TOKENS[kind](issuer, version, None)) == "accepted"
    assert verdict(databricks, TOKENS[kind](issuer, version, entra.DATABRICKS_RESOURCE)) == "accepted"
    assert len(issuer.requests) == 4  # metadata and keys, for either policy


@pytest.mark.parametrize(("cloud", "name", "v1_host", "v2_host"), CLOUDS)
def test_several_tenants_of_a_cloud_are_served_by_its_common_documents(
    of_cloud: OfCloud, verdict: Verdict, cloud: entra.Cloud, name: str, v1_host: str, v2_host: str
) -> None:
    issuer = of_cloud(cloud)
    policy = entra.api(issuer.client_id, "any", cloud=issuer.cloud)
    other = "11111111-2222-3333-4444-555555555555"
    assert {verdict(policy, issuer.user_token(version, tenant=other)) for version in ("1.0", "2.0")} == {"accepted"}


@pytest.mark.parametrize(("cloud", "name", "v1_host", "v2_host"), CLOUDS)
def test_documents_keys_and_tokens_name_the_cloud_as_it_names_itself(
    of_cloud: OfCloud,
    opened: Callable[[str], tuple[dict[str, object], dict[str, object]]],
    cloud: entra.Cloud,
    name: str,
    v1_host: str,
    v2_host: str,
) -> None:
    issuer = of_cloud(cloud)
    v1, v2 = f"https://{v1_host}/{issuer.tenant}/", f"https://{v2_host}/{issuer.tenant}/v2.0"
    for path, iss in (("", v1), ("v2.0/", v2)):
        found = httpx.get(f"{issuer.origin}/{issuer.tenant}/{path}.well-known/openid-configuration", trust_env=False).json()
        assert (found["issuer"], found["cloud_instance_name"]) == (iss, name)
    keys = httpx.get(f"{issuer.origin}/common/discovery/v2.0/keys", trust_env=False).json()["keys"]
    assert {(key["cloud_instance_name"], key["issuer"]) for key in keys} == {(name, f"https://{v2_host}/{{tenantid}}/v2.0")}
    assert [opened(issuer.user_token(version))[1]["iss"] for version in ("1.0", "2.0")] == [v1, v2]
    assert str(opened(issuer.guest_token())[1]["idp"]).startswith(f"https://{v1_host}/")


@pytest.mark.parametrize(("tokens_of", "policy_for", "version"), OTHERS)
def test_a_token_of_another_cloud_is_not_trusted(
    of_cloud: OfCloud, verdict: Verdict, tokens_of: entra.Cloud, policy_for: entra.Cloud, version: str
) -> None:
    theirs, ours = of_cloud(tokens_of), of_cloud(policy_for)
    policy = entra.api(ours.client_id, [ours.tenant], cloud=ours.cloud)
    assert verdict(policy, theirs.user_token(version)) == "issuer_not_trusted"  # type: ignore[arg-type]


@pytest.mark.parametrize(("cloud", "name", "v1_host", "v2_host"), CLOUDS)
def test_a_key_of_another_cloud_serves_no_token_of_this_one(
    of_cloud: OfCloud, verdict: Verdict, cloud: entra.Cloud, name: str, v1_host: str, v2_host: str
) -> None:
    issuer = of_cloud(cloud)
    stray = issuer.publish_odd_keys()["other_cloud"]
    policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
    assert stray.jwk()["cloud_instance_name"] != name
    assert verdict(policy, issuer.user_token(key=stray)) == "key_not_for_issuer"


def test_an_authority_that_speaks_for_another_cloud_gives_no_keys(of_cloud: OfCloud, verdict: Verdict) -> None:
    misdirected = entra.Cloud(
        of_cloud(entra.PUBLIC).origin, entra.US_GOV.v1_issuer, entra.US_GOV.v2_issuer, entra.US_GOV.instance_name
    )
    token = LocalIssuer(cloud=entra.US_GOV, clock=of_cloud(entra.PUBLIC).clock).user_token()
    policy = entra.api("8f7a2c1e-3d54-4b6f-9a0c-5e1d2b3c4f60", ["72f988bf-86f1-41af-91ab-2d7cd011db47"], cloud=misdirected)
    assert verdict(policy, token) == "keys_unavailable"


def test_a_cloud_by_name_is_refused() -> None:
    with pytest.raises(PolicyError) as raised:
        LocalIssuer(cloud="china")  # type: ignore[arg-type]
    assert raised.value.field == "cloud"
