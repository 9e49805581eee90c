"""explain and the verifier never disagree, whatever the token and the policy are; a new row needs nothing of explain's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tokenward import AuthenticationError, Issuer, Policy, Verifier, entra, walk
from tokenward.errors import ClaimMalformed, CriticalHeaderUnsupported, GuestNotAllowed, IssuerNotTrusted, TokenExpired
from tokenward.identity import Identity
from tokenward.judging import judgement as engine
from tokenward.testing import ABSENT, LocalIssuer, SigningKey
from tokenward.testing.claims import HOME_TENANT
from tokenward.token import admission, caller, header, lifetime
from tokenward.token.caller import CallerRow
from tokenward.token.row import Row
from tokenward.troubleshoot.explanation.explain import explain

NOW = 1_800_000_000
KEY, ODD = SigningKey.generate("RS256"), SigningKey.generate("ES256", "es")
ISSUER = LocalIssuer(clock=lambda: NOW, keys=[ODD, KEY])
SAME, OTHER = ISSUER.tenant, HOME_TENANT
DATES = st.sampled_from([ABSENT, None, NOW - 1, NOW, NOW + 1, NOW + 0.5, NOW + 3600, "1800003600", True, -1, 2**60, [NOW]])
TEXTS = st.sampled_from([ABSENT, None, "a", "", 5, ["a"], {"a": "b"}, "jobs.read", ["Jobs.Run"]])
CLAIMS: dict[str, st.SearchStrategy[Any]] = {
    "iss": st.sampled_from(
        [ABSENT, None, 5, "https://other.example/", f"https://sts.windows.net/{SAME}/", f"https://sts.windows.net/{SAME}"]
        + [f"https://login.microsoftonline.{top}/{tenant}/v2.0" for top in ("com", "us") for tenant in (SAME, OTHER)]
    ),
    "tid": st.sampled_from([ABSENT, None, SAME, OTHER, 5, ""]),
    "aud": st.sampled_from(
        [ABSENT, None, ISSUER.client_id, f"api://{ISSUER.client_id}", ["x", ISSUER.client_id], [], [5], {"a": 1}, "x/.default"]
    ),
    "ver": st.sampled_from([ABSENT, "1.0", "2.0", 2]),
    "exp": DATES,
    "nbf": DATES,
    "iat": DATES,
    **dict.fromkeys(("sub", "jti", "azp", "appid", "scp", "scope", "roles", "nonce", "idp"), TEXTS),
    "acct": st.sampled_from([0, 1, "1"]),
    "idtyp": st.sampled_from(["app", "user", 5]),
    "typ": st.sampled_from(["ID", "Refresh", "Bearer", 5]),
}
CHANGES = st.dictionaries(st.sampled_from(sorted(CLAIMS)), st.none(), max_size=3).flatmap(
    lambda chosen: st.fixed_dictionaries({name: CLAIMS[name] for name in chosen})
)
HEADERS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "alg": st.sampled_from(["RS256", "ES256", "PS256", "HS256", "none", "A128KW", 5, ABSENT]),
            "typ": st.sampled_from([ABSENT, "JWT", "at+jwt", "application/at+jwt", "dpop+jwt", 5]),
            "kid": st.sampled_from([ABSENT, "unknown", "es", "", 5, None]),
            "crit": st.just(["exp"]),
            "nonce": st.sampled_from(["n", None]),
        },
    ),
)
SIGNED = st.sampled_from(["well", "well", "well", "stranger", "none", "HS256"])
TAMPER = st.sampled_from(["", "", "", "", "truncate", "flip", "double", "part", "grow", "unpaired", "bytes"])


def refuse_strangers(identity: Identity) -> None:
    if identity.subject == "a":
        raise GuestNotAllowed("a check of the service's own")


def _api(**options: Any) -> Policy:
    tenants = options.pop("tenants", [SAME])
    return entra.api(ISSUER.client_id, tenants, cloud=ISSUER.cloud, **options)


POLICIES = [
    _api(),
    _api(versions=["2.0"]),
    _api(tenants="any"),
    _api(tenants=[OTHER]),
    _api(guests=False, required_scopes=["jobs.read"], checks=[refuse_strangers]),
    _api(kinds=["app"], required_roles=["Jobs.Run"], clients=[SAME]),
    entra.databricks(SAME, cloud=ISSUER.cloud),
    Policy([Issuer(f"https://login.microsoftonline.com/{SAME}/v2.0", audiences=[ISSUER.client_id], jwks=dict(ISSUER.jwks()))]),
    Policy([Issuer("https://login.microsoftonline.com/", audiences=["x"], jwks=dict(ISSUER.jwks()))], max_token_bytes=600),
]


def minted(version: Any, changes: dict[str, Any], members: dict[str, Any], signed: str, how: str) -> str | bytes:
    key = ISSUER.stranger_key() if signed == "stranger" else None
    algorithm = signed if signed in ("none", "HS256") else None
    ISSUER.signing_key = KEY
    token = ISSUER.user_token(version, claims=changes, header=members, key=key, algorithm=algorithm)
    match how:
        case "truncate":
            return token[:-5]
        case "flip":
            return token[:-10] + ("A" if token[-10:-9] != "A" else "B") + token[-9:]
        case "double":
            return f"{token}.{token}"
        case "part":
            return token.rpartition(".")[0]
        case "grow":
            return token + "A" * 20_000
        case "unpaired":
            return token.replace(".", "", 1)
        case "bytes":
            return token.encode()
        case _:
            return token


def verified(token: str | bytes, policy: Policy) -> str | None:
    """The code with which a service that has its keys in hand refuses; None if it accepts."""
    verifier = Verifier(policy, clock=lambda: NOW, fetch=ISSUER.fetch, observer=None, remember=0)
    try:
        verifier.warm_up()
        verifier.verify(token)
    except AuthenticationError as rejection:
        return rejection.code
    finally:
        verifier.close()
    return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    version=st.sampled_from(["1.0", "2.0"]),
    changes=CHANGES,
    members=HEADERS,
    signed=SIGNED,
    how=TAMPER,
    policy=st.sampled_from(POLICIES),
)
def test_accepted_by_both_or_refused_by_both_with_the_same_code(
    version: str, changes: Any, members: Any, signed: str, how: str, policy: Policy
) -> None:
    token = minted(version, changes, members, signed, how)
    code = verified(token, policy)
    report = explain(token, policy, clock=lambda: NOW, fetch=ISSUER.fetch)
    event(str(code))
    assert (report.accepted, report.code) == (code is None, code)
    assert report.accepted == all(check.finding.held for check in report.checks)
    assert report.accepted or code in {check.code for check in report.failures}
    assert all(check.finding.fix for check in report.failures)
    assert report.next
    bare = explain(token, clock=lambda: NOW)
    assert bare.verdict == "undecided" if report.accepted else bare.verdict in ("undecided", "refused")
    json.dumps([report.to_json(), bare.to_json(redact=True)])


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=80) | st.binary(max_size=80) | st.from_regex(r"\A[\w-]*\.[\w-]*\.[\w-]*\Z"))
def test_whatever_is_given_there_is_a_report(text: str | bytes) -> None:
    for policy in (None, POLICIES[0]):
        report = explain(text, policy, clock=lambda: NOW, fetch=ISSUER.fetch)
        assert report.verdict == "refused"
        assert report.what.sentence


# -- new rows ----------------------------------------------------------------------------------------------------------

NEW = "a new row"
judgement: Any = engine  # whose tables are the verifiers' own, and which exports none of them


def _always(error: type[AuthenticationError]) -> Any:
    def check(*_: object) -> None:
        raise error("a reason of its own", claim="sub", expected="something else")

    return check


@pytest.mark.parametrize(
    ("table", "homes", "row"),
    [
        pytest.param("HEADER_CHECKS", [header], Row(NEW, _always(CriticalHeaderUnsupported)), id="of the header"),
        pytest.param("ISSUER_CHECKS", [admission], Row(NEW, _always(IssuerNotTrusted)), id="of the issuer"),
        pytest.param("CLAIM_CHECKS", [], Row(NEW, _always(ClaimMalformed)), id="of the claims"),
        pytest.param("TIME_CHECKS", [lifetime], Row(NEW, _always(TokenExpired)), id="of the time"),
        pytest.param("CALLER_CHECKS", [caller], CallerRow(NEW, _always(GuestNotAllowed), lambda _: True), id="of the caller"),
    ],
)
def test_a_new_row_of_a_table_is_in_the_report(monkeypatch: pytest.MonkeyPatch, table: str, homes: Any, row: Any) -> None:
    rows = (*getattr(judgement, table), row)
    for home in (judgement, *homes):
        monkeypatch.setattr(home, table, rows)
    monkeypatch.setattr(walk, "_CLAIM_CHECKS", tuple(each.check for each in judgement.CLAIM_CHECKS))
    now = NOW + 7200 if table == "TIME_CHECKS" else NOW  # the walk runs the rows only outside of the window
    report = explain(ISSUER.user_token(), POLICIES[0], now=now, fetch=ISSUER.fetch)
    (check,) = [check for check in report.checks if check.finding.name == NEW]
    assert (check.verdict, check.code, report.verdict) == ("failed", check.code, "refused")
    assert check.finding.expected == "something else"
    assert check.finding.fix


def test_the_tables_are_the_verifiers_own() -> None:
    for table, home in (("HEADER_CHECKS", header), ("ISSUER_CHECKS", admission), ("TIME_CHECKS", lifetime)):
        assert getattr(judgement, table) is getattr(home, table)
    assert judgement.CALLER_CHECKS is caller.CALLER_CHECKS
    assert tuple(row.check for row in judgement.CLAIM_CHECKS) == walk._CLAIM_CHECKS
