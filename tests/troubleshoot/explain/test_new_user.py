"""What a new user met: advice that can be followed, for this policy and this token, and that does not make things worse."""

from __future__ import annotations

import itertools
from email.utils import formatdate
from typing import Any

import pytest

from tokenward import Issuer, Policy
from tokenward.databricks import issued_tokens
from tokenward.keys.port import Fetch, FetchRequest, FetchResponse
from tokenward.testing import ABSENT, HandClock, IssuerServer, LocalIssuer, OidcIssuer, SigningKey
from tokenward.testing.claims import HOME_TENANT
from tokenward.troubleshoot.explanation.explain import explain

MANIFEST = "requestedAccessTokenVersion"


def _v1(issuer: LocalIssuer) -> str:
    return f"https://sts.windows.net/{issuer.tenant}/"


def _v2(issuer: LocalIssuer) -> str:
    return f"https://login.microsoftonline.com/{issuer.tenant}/v2.0"


def _plain(issuer: LocalIssuer, name: str, *audiences: str) -> Issuer:
    """As kind = "oidc" writes it: an issuer, its audiences and its keys, and nothing of versions."""
    return Issuer(name, audiences=list(audiences), jwks=_unbound(issuer))


def _unbound(issuer: LocalIssuer) -> dict[str, Any]:
    """The keys without Entra's binding to the version 2.0 issuer, as incident 01 has them."""
    jwks: Any = issuer.jwks()
    return {"keys": [{name: value for name, value in jwk.items() if name != "issuer"} for jwk in jwks["keys"]]}


# -- the API's name, and the version of its tokens ---------------------------------------------------------------------


def test_a_policy_of_v1_alone_is_not_told_to_have_v2_tokens_made(bench: Any) -> None:
    issuer = bench.issuer
    uri = f"api://{issuer.client_id}"
    token = issuer.user_token("1.0", audience=uri)
    fix = bench.check(bench.explain(token, Policy([_plain(issuer, _v1(issuer), issuer.client_id)])), "audience").finding.fix
    assert "policy by its client id: list the URI in audiences." in fix
    assert MANIFEST not in fix
    assert bench.explain(token, Policy([_plain(issuer, _v1(issuer), issuer.client_id, uri)])).accepted  # as it says


@pytest.mark.parametrize(
    ("issuers", "named"),
    [
        pytest.param(lambda i: [_plain(i, _v1(i), i.client_id), _plain(i, _v2(i), i.client_id)], True, id="a v2 issuer"),
        pytest.param(
            lambda i: [Issuer(_v1(i), audiences=[i.client_id], jwks=_unbound(i), required_values={"ver": "2.0"})],
            True,
            id="ver 2.0 is demanded",
        ),
        pytest.param(lambda i: [_plain(i, _v1(i), i.client_id)], False, id="v1 alone"),
    ],
)
def test_the_manifest_is_named_where_the_policy_takes_v2_tokens(bench: Any, issuers: Any, named: bool) -> None:
    token = bench.issuer.user_token("1.0", audience=f"api://{bench.issuer.client_id}")
    fix = bench.check(bench.explain(token, Policy(issuers(bench.issuer))), "audience").finding.fix
    assert (MANIFEST in fix, "list the URI in audiences" in fix) == (named, True)


def test_the_manifest_is_not_named_for_an_api_whose_name_is_no_id(bench: Any) -> None:
    issuer = bench.issuer
    report = bench.explain(issuer.user_token(audience="api://jobs"), Policy([_plain(issuer, _v2(issuer), "jobs")]))
    fix = bench.check(report, "audience").finding.fix
    assert ("list the URI in audiences." in fix, MANIFEST in fix) == (True, False)


@pytest.mark.parametrize(
    ("sent", "wanted", "words"),
    [
        pytest.param(f"api://{HOME_TENANT}", HOME_TENANT, "list the URI in audiences.", id="the URI for the id"),
        pytest.param(HOME_TENANT, f"api://{HOME_TENANT}", "list the client id in audiences.", id="the id for the URI"),
    ],
)
def test_an_issuer_that_is_not_entra_is_told_nothing_of_entras_versions(sent: str, wanted: str, words: str) -> None:
    issuer = OidcIssuer("https://idp.example/")
    policy = Policy([Issuer("https://idp.example/", audiences=[wanted], jwks=dict(issuer.jwks()))])
    (check,) = explain(issuer.access_token(sent), policy).failures
    assert words in check.finding.fix
    assert [word for word in (MANIFEST, "version 2.0") if word in check.finding.fix] == []


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_policy_without_versions_is_told_to_write_the_issuer(bench: Any, version: str) -> None:
    issuer = bench.issuer
    own, other = (_v1(issuer), _v2(issuer)) if version == "1.0" else (_v2(issuer), _v1(issuer))
    token = issuer.user_token(version, audience=issuer.client_id)
    report = bench.explain(token, Policy([_plain(issuer, other, issuer.client_id)]))
    fix = bench.check(report, "issuer").finding.fix
    assert 'write this iss (and its keys) as an issuer of the policy, or use kind = "api"' in fix
    assert [word for word in (MANIFEST, "versions") if word in fix] == []
    both = [_plain(issuer, name, issuer.client_id) for name in (other, own)]
    assert bench.explain(token, Policy(both)).accepted  # as it says
    assert bench.explain(token, bench.policy()).accepted  # the policy of kind = "api"


def test_a_token_for_another_of_microsofts_services_is_not_told_to_be_listed(bench: Any) -> None:
    token = bench.issuer.user_token("1.0", audience="https://contoso.sharepoint.com", header={"nonce": "n"})
    fix = bench.check(bench.explain(token), "audience").finding.fix
    assert fix.startswith("The token is for one of Microsoft's own services")
    assert "Add the audience" not in fix


# -- another tenant ----------------------------------------------------------------------------------------------------


def test_the_workspaces_tenant_is_named_and_is_the_only_one(bench: Any) -> None:
    report = bench.explain(bench.issuer.databricks_token(tenant=HOME_TENANT), bench.databricks())
    fix = bench.check(report, "issuer").finding.fix
    tenant = bench.issuer.tenant
    assert report.code == "tenant_not_allowed"
    assert f"https://login.microsoftonline.com/{tenant} " in fix
    assert f"az login --tenant {tenant}." in fix
    assert [word for word in ("<tenant", "policy's tenants", HOME_TENANT) if word in fix] == []


def test_an_apis_only_tenant_is_named_and_one_of_many_is_not(bench: Any) -> None:
    token = bench.issuer.user_token(tenant=HOME_TENANT)
    many = [bench.issuer.tenant, "11111111-2222-3333-4444-555555555555"]
    reports = [bench.explain(token, policy) for policy in (None, bench.policy(tenants=many))]
    one, other = (bench.check(report, "issuer").finding.fix for report in reports)
    assert f"https://login.microsoftonline.com/{bench.issuer.tenant} " in one
    assert "https://login.microsoftonline.com/<tenant of the policy> " in other
    assert [fix for fix in (one, other) if "add the tenant to the policy's tenants" not in fix] == []


def test_personal_accounts_are_called_so(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token(tenant="9188040d-6c67-4c5b-b112-36a304b66dad"))
    assert report.next.startswith("The token is of the tenant of personal Microsoft accounts, which the policy does not list.")


# -- cut tokens --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "change", "words"),
    [
        pytest.param("RS256", lambda t: t[:-114], "has 171 of 256 bytes: the token is cut at its end", id="RS256, a third"),
        pytest.param("RS256", lambda t: t[:-342], "has 0 of 256 bytes: the token is cut at its end", id="RS256, all of it"),
        pytest.param("RS256", lambda t: t + "A", "has 257 of 256 bytes: there is something too many", id="RS256, one too many"),
        pytest.param("PS256", lambda t: t[:-114], "has 171 of 256 bytes", id="PS256"),
        pytest.param("ES256", lambda t: t[:-46], "has 30 of 64 bytes", id="ES256"),
        pytest.param("ES512", lambda t: t[:-40], "has 102 of 132 bytes", id="ES512"),
        pytest.param("EdDSA", lambda t: t[:-6], "has 60 of 64 bytes", id="EdDSA"),
    ],
)
def test_a_signature_that_is_too_short_is_said_to_be_cut(algorithm: str, change: Any, words: str) -> None:
    issuer = OidcIssuer("https://idp.example/", keys=[SigningKey.generate(algorithm)])
    policy = Policy([Issuer("https://idp.example/", audiences=["a"], algorithms=[algorithm], jwks=dict(issuer.jwks()))])
    token = issuer.access_token("a")
    assert explain(token, policy).accepted
    report = explain(change(token), policy)
    assert report.code == "signature_invalid"
    assert words in report.next
    assert "forged" not in report.next


def test_a_signature_of_the_right_length_is_not_said_to_be_cut(bench: Any) -> None:
    token = bench.issuer.user_token()
    other = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
    report = bench.explain(other)
    assert (report.code, "forged" in report.next, "bytes" in report.next) == ("signature_invalid", True, False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda t: t[:-1], "cut, or has a character too many at its end", id="a character is missing"),
        pytest.param(lambda t: t + "B", "cut, or has a character too many at its end", id="a character too many"),
        pytest.param(lambda t: t + "=", "cut, or has a character too many at its end", id="padding"),
        pytest.param(lambda t: t.rpartition(".")[0], "ends before its signature: it is cut", id="no signature"),
    ],
)
def test_a_token_that_cannot_be_decoded_at_its_end_is_not_called_opaque(bench: Any, change: Any, words: str) -> None:
    report = bench.explain(change(bench.issuer.user_token()))
    assert (report.code, report.what.kind) == ("malformed_token", "entra_user_token")
    assert words in bench.check(report, "form").finding.fix
    assert words in report.next
    assert "opaque" not in report.next


def test_a_token_whose_claims_are_damaged_is_said_to_be(bench: Any) -> None:
    header, claims, signature = bench.issuer.user_token().split(".")
    fix = bench.check(bench.explain(f"{header}.{claims[:40]}{claims[60:]}.{signature}"), "form").finding.fix
    assert "in the token's middle is missing or changed" in fix


# -- dates -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        pytest.param("1795284545", '"1795284545" (a string)', id="a string"),
        pytest.param("tom\norrow", '"tom\\norrow" (a string)', id="a string of two lines"),
        pytest.param(True, "true (a boolean)", id="a boolean"),
        pytest.param(1e300, "1e+300 (out of range)", id="a number that is no time"),
        pytest.param([1795284545], "a list", id="a list"),
        pytest.param({"s": 1}, "an object", id="an object"),
        pytest.param(ABSENT, "no exp", id="nothing"),
    ],
)
def test_what_stands_in_place_of_a_date_is_shown_with_its_type(bench: Any, value: object, seen: str) -> None:
    finding = bench.check(bench.explain(bench.issuer.user_token(claims={"exp": value})), "dates").finding
    assert (finding.expected, finding.seen) == ("a number (seconds since 1970)", seen)
    assert value is ABSENT or ("exp: the issuer writes it so" in finding.fix and "RFC 7519 section 2" in finding.fix)


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_dates_in_milliseconds_are_said_to_look_so(bench: Any, name: str) -> None:
    token = bench.issuer.user_token(claims={name: int(bench.wall() * 1000)})
    report = bench.explain(token)
    assert [note for note in report.notes if note.startswith(f"{name} looks like milliseconds")]
    assert report.accepted or "milliseconds" in bench.check(report, name).finding.fix
    assert explain(token, clock=bench.wall).notes[1:] == report.notes  # without a policy, too


def test_dates_in_seconds_are_not_spoken_of(bench: Any) -> None:
    assert bench.explain(bench.issuer.user_token(claims={"exp": 9_999_999_999})).notes == ()


# -- the clock ---------------------------------------------------------------------------------------------------------


def _over_http(bench: Any, token: str, ahead: float, **options: Any) -> Any:
    """Explained on a machine whose clock is so many seconds ahead, with a real server's Date."""
    with IssuerServer(bench.issuer):
        return bench.explain(token, bench.policy(), clock=HandClock(bench.wall() + ahead), fetch=None, **options)


@pytest.mark.parametrize(
    ("ahead", "names", "words"),
    [
        pytest.param(7200, ["exp"], "ahead of the issuer's, by which this would hold", id="ahead"),
        pytest.param(-7200, ["nbf", "iat"], "behind the issuer's, by which this would hold", id="behind"),
    ],
)
def test_where_the_clock_is_to_blame_it_is_what_to_change(bench: Any, ahead: float, names: list[str], words: str) -> None:
    report = _over_http(bench, bench.issuer.user_token(), ahead)
    fixes = {check.finding.name: check.finding.fix for check in report.failures}
    assert list(fixes) == names
    assert set(fixes.values()) == {report.next}
    assert words in report.next
    assert "synchronise this machine's clock" in report.next
    assert "new token" not in report.next


def test_where_the_clock_is_not_to_blame_the_fix_is_as_ever(bench: Any) -> None:
    ended = _over_http(bench, bench.issuer.user_token(lifetime=-7200), 3600)
    assert (ended.code, "new token" in ended.next) == ("token_expired", True)
    asked = _over_http(bench, bench.issuer.user_token(), 7200, now=bench.wall() + 7200)
    assert (asked.code, "new token" in asked.next) == ("token_expired", True)  # a time that was asked for is nobody's clock


def _dated(bench: Any, date: float) -> Fetch:
    """The issuer, whose answers tell this time, in whole seconds as a Date does."""

    def fetch(request: FetchRequest) -> FetchResponse:
        answer = bench.issuer.fetch(request)
        return FetchResponse(answer.status, {**answer.headers, "date": formatdate(date, usegmt=True)}, answer.body)

    return fetch


@pytest.mark.parametrize(
    ("ahead", "ends", "names"),
    [
        pytest.param(-599.3, 3600, "nbf and iat", id="behind, of a token that was issued in this second"),
        pytest.param(600.3, 0.5, "exp", id="ahead, of a token that ends in this second"),
    ],
)
def test_of_the_second_that_a_date_counts_none_or_all_may_be_over(bench: Any, ahead: float, ends: float, names: str) -> None:
    ticks = (bench.wall() + ahead + 0.01 * count for count in itertools.count())
    token, fetch = bench.issuer.user_token(claims={"exp": bench.wall() + ends}), _dated(bench, bench.wall())
    report = bench.explain(token, clock=lambda: next(ticks), fetch=fetch)
    assert "by which this would hold" in report.next
    assert f"By the issuer's clock {names} would hold" in report.notes[0]


AGREES = "This machine's clock agrees with the issuer's to about a second."


@pytest.mark.parametrize(
    ("ahead", "begins", "note", "fix"),
    [
        pytest.param(0.5, 0, "", "", id="the clocks agree, and all holds"),
        pytest.param(3.0, 0, "", "", id="3 s apart, and all holds"),
        pytest.param(0.5, 2e8, AGREES, "By the issuer's clock, too, the token begins later", id="agree, years ahead"),
        pytest.param(-0.4, 0.3, AGREES, "leeway can allow", id="agree, within the second"),
        pytest.param(
            -4.0, 0, "4 s behind the issuer's. By the issuer's clock nbf", "4 s behind the issuer's, by which", id="4 s"
        ),
        pytest.param(
            -4.0, 2e8, "4 s behind the issuer's. By the issuer's clock the checks", "too, the token begins", id="4 s, years"
        ),
        pytest.param(-600, 2e8, "600 s behind the issuer's. By the issuer's", "too, the token begins", id="600 s, years ahead"),
    ],
)
def test_where_a_time_fails_the_clock_is_told_however_little_it_differs(
    bench: Any, ahead: float, begins: float, note: str, fix: str
) -> None:
    token = bench.issuer.user_token(now=bench.wall() + begins, claims={"exp": 9_999_999_999})
    report = bench.explain(token, clock=HandClock(bench.wall() + ahead), fetch=_dated(bench, bench.wall()))
    assert bool(report.notes) == bool(note)
    assert note in " ".join(report.notes)
    assert (report.accepted, fix in report.next) == (not fix, True)


def test_the_clock_of_an_ended_token_is_told_and_of_a_time_that_was_asked_for_it_is_not(bench: Any) -> None:
    token, fetch = bench.issuer.user_token(lifetime=-10), _dated(bench, bench.wall())
    assert bench.explain(token, fetch=fetch).notes == (AGREES,)
    assert bench.explain(token, fetch=fetch, now=bench.wall()).notes == ()


def test_a_date_in_milliseconds_is_no_clocks_doing(bench: Any) -> None:
    token = bench.issuer.user_token(claims={"nbf": int(bench.wall() * 1000)})
    assert "milliseconds" in bench.explain(token, fetch=_dated(bench, bench.wall())).next


def test_what_leeway_does_is_said_without_riddles(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token(now=bench.wall() + 600))
    assert "bridges" not in report.next
    assert "Databricks itself allows for none" in report.next


# -- Databricks --------------------------------------------------------------------------------------------------------


def test_a_token_that_databricks_issued_has_one_fix_and_no_rules_that_are_not_its_own(bench: Any) -> None:
    host = "https://adb-123.4.azuredatabricks.net/oidc"
    report = bench.explain(OidcIssuer(host).access_token("123"))
    assert bench.failed(report) == {"issuer"}
    assert report.next.startswith("Send it to its workspace as it is")
    assert bench.check(report, "issuer").finding.fix == report.next
    unjudged = [check.finding for check in report.checks if check.verdict == "open" and check.finding.name != "signature"]
    assert {finding.name for finding in unjudged} >= {"required", "values", "type"}
    assert {(finding.expected, finding.seen) for finding in unjudged} == {("by an issuer of the policy", None)}


def test_a_token_of_another_workspace_is_not_told_to_use_the_policy_that_it_met(bench: Any) -> None:
    own, other = "https://adb-1.1.azuredatabricks.net", "https://adb-2.2.azuredatabricks.net/oidc"
    report = bench.explain(OidcIssuer(other).access_token("1"), issued_tokens(own, "1"))
    assert "of another workspace or account" in bench.check(report, "issuer").finding.fix


@pytest.mark.parametrize(("version", "told"), [("1.0", False), ("2.0", True)])
def test_a_version_that_databricks_does_not_document_is_told(bench: Any, version: str, told: bool) -> None:
    token = bench.issuer.user_token(version, audience="2ff814a6-3304-4ab8-85cb-cd0e6f879c1d")
    report = bench.explain(token, bench.databricks())
    assert report.accepted
    assert bool([note for note in report.notes if "documents version 1.0 tokens alone" in note]) is told


# -- what else was said badly ------------------------------------------------------------------------------------------


def test_offline_is_said_in_words_that_fit_the_command_line_and_the_library(bench: Any) -> None:
    told = bench.explain(bench.issuer.user_token(), offline=True).next
    assert ("offline" in told, "=" in told, "--" in told) == (True, False, False)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        pytest.param({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}}, True, id="kept elsewhere"),
        pytest.param({"hasgroups": True}, True, id="hasgroups"),
        pytest.param({"_claim_names": {"address": "src1"}}, False, id="another claim is kept elsewhere"),
        pytest.param({"_claim_names": "groups"}, False, id="a text that is none"),
        pytest.param({"groups": ["g"], "hasgroups": True}, False, id="they are there"),
        pytest.param({}, False, id="nothing of groups"),
    ],
)
def test_groups_that_are_too_many_are_told(bench: Any, claims: dict[str, object], told: bool) -> None:
    report = bench.explain(bench.issuer.user_token(claims=claims))
    assert report.accepted
    assert bool([note for note in report.notes if "groups are left out: the user is in too many" in note]) is told
