"""What somebody who writes the token himself gets an explanation to say: no secrets, no false names, no requests."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tokenward import Issuer, Policy
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.testing import ABSENT, LocalIssuer, OidcIssuer
from tokenward.testing.claims import HOME_TENANT

PRIVATE = "SECRETVALUE-alice@example.com"
GRAPH = "https://graph.microsoft.com"
IDP = "https://idp.example/"


# -- what --redact lets through ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(PRIVATE, id="a text"),
        pytest.param([PRIVATE], id="a list"),
        pytest.param({"at": PRIVATE}, id="an object"),
    ],
)
def test_of_times_only_numbers_are_shown_redacted(bench: Any, name: str, value: object) -> None:
    report = bench.explain(bench.issuer.user_token(claims={name: value}))
    assert PRIVATE in json.dumps(report.to_json()["checks"])
    assert PRIVATE not in json.dumps(report.to_json(redact=True))


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_a_time_stays_readable_redacted(bench: Any, name: str) -> None:
    report = bench.explain(bench.issuer.user_token())
    seen = {check["check"]: check["seen"] for check in report.to_json(redact=True)["checks"]}
    assert seen[name] == report.claims[name]


def test_words_that_are_no_claims_stay_readable_redacted(bench: Any) -> None:
    """The names of claims that are missing or betray another token, and the policy's word for the caller."""
    report = bench.explain(bench.issuer.user_token(claims={"azp": ABSENT, "scp": ABSENT, "exp": ABSENT, "nonce": PRIVATE}))
    seen = {check["check"]: check["seen"] for check in report.to_json(redact=True)["checks"]}
    assert (seen["required"], seen["access token"], seen["dates"]) == (["no exp", "no azp"], "nonce", "no exp")
    nobody = bench.explain(bench.issuer.user_token(claims={"scp": ABSENT}))
    assert bench.check(nobody, "kind").to_json(redact=True)["seen"] == "unknown"


def test_a_callers_kind_by_the_services_own_function_is_redacted(bench: Any) -> None:
    def own(_: object) -> Any:
        return PRIVATE  # which breaks its type

    policy = Policy([Issuer(IDP, audiences=["x"], kinds=["app"], kind_of=own)])
    report = bench.explain(bench.issuer.user_token(audience="x", claims={"iss": IDP}), policy, offline=True)
    assert bench.check(report, "kind").verdict == "failed"
    assert PRIVATE not in json.dumps(report.to_json(redact=True))


@pytest.mark.parametrize("word", ["none", "all of them", "unknown"])
def test_a_claim_that_is_one_of_our_words_is_redacted(bench: Any, word: str) -> None:
    report = bench.explain(bench.issuer.user_token(audience=word))
    assert bench.check(report, "audience").to_json(redact=True)["seen"] == f"<text of {len(word)} characters>"


def test_a_redacted_header_keeps_what_names_the_key_alone(bench: Any) -> None:
    header = {"x5t": "dGh1bWI", "who": PRIVATE, "jku": f"https://{PRIVATE}", "crit": [PRIVATE], PRIVATE.lower()[:6]: 1}
    report = bench.explain(bench.issuer.user_token(header=header))
    redacted = report.to_json(redact=True)["header"]
    kept = {name for name, value in redacted.items() if value == report.header[name]}
    assert kept == {"alg", "typ", "kid", "x5t"}
    assert redacted["who"] == f"<text of {len(PRIVATE)} characters>"
    assert PRIVATE not in json.dumps(report.to_json(redact=True))
    assert report.to_json()["header"]["who"] == PRIVATE


# -- private keys ------------------------------------------------------------------------------------------------------

_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "k", "priv")
SECRET = "c2VjcmV0LW9mLWEta2V5"


def _jwk() -> dict[str, object]:
    return {"kty": "EC", "x": "cHVibGlj", **dict.fromkeys(_MEMBERS, SECRET), "oth": [{"r": SECRET, "d": SECRET}]}


@pytest.mark.parametrize(
    "where",
    [
        pytest.param({"header": {"jwk": _jwk()}}, id="in the header"),
        pytest.param({"claims": {"cnf": {"jwk": _jwk()}}}, id="in the confirmation"),
        pytest.param({"claims": {"keys": [[_jwk()]]}}, id="in lists"),
        pytest.param({"claims": {"aud": [_jwk()]}}, id="where a check shows it"),
    ],
)
def test_private_members_of_a_key_are_in_no_report(bench: Any, where: dict[str, Any]) -> None:
    document = bench.explain(bench.issuer.user_token(**where)).to_json()
    text = json.dumps(document)
    assert SECRET not in text
    assert "cHVibGlj" in text
    assert text.count('"<private key>"') >= len(_MEMBERS) + 1


def test_members_of_these_names_stay_where_there_is_no_key(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token(claims={"k": "a", "point": {"p": "b", "q": "c"}}))
    claims = report.to_json()["claims"]
    assert (claims["k"], claims["point"]) == ("a", {"p": "b", "q": "c"})


# -- what it is called -------------------------------------------------------------------------------------------------


def _with_roles(issuer: LocalIssuer, version: Any) -> str:
    return issuer.id_token(version, claims={"nonce": ABSENT, "roles": ["Jobs.Run"], "preferred_username": "ada@contoso.example"})


def _nonce(iss: str = IDP, aud: str = "https://api.example/") -> Callable[[LocalIssuer], str]:
    return lambda _: OidcIssuer(IDP).access_token(aud, header={"nonce": "n", "typ": "JWT"}, claims={"iss": iss})


def _principal(version: Any, **claims: object) -> Callable[[LocalIssuer], str]:
    """A service principal's token as Entra writes it without the optional claim idtyp, for an API without roles."""
    aud = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
    return lambda issuer: issuer.app_token(version, audience=aud, roles=[], claims={"idtyp": ABSENT, **claims})


@pytest.mark.parametrize(
    ("mint", "kind", "words"),
    [
        pytest.param(lambda i: _with_roles(i, "2.0"), "id_token", "ID token of Entra", id="an ID token with app roles"),
        pytest.param(lambda i: _with_roles(i, "1.0"), "id_token", "ID token of Entra", id="the same, v1"),
        pytest.param(lambda i: i.app_token("1.0"), "entra_app_token", "app-only", id="roles of a calling application, v1"),
        pytest.param(_nonce("https://accounts.google.com"), "jwt", "not Entra", id="a nonce of Google's"),
        pytest.param(_nonce(aud=GRAPH), "jwt", "not Entra", id="Graph's audience and a nonce of another issuer"),
        pytest.param(
            lambda _: OidcIssuer(IDP).access_token(GRAPH), "access_token", "not Entra", id="Graph's audience of another issuer"
        ),
        pytest.param(
            lambda i: i.mint({"status": "valid"}, header={"nonce": "n", "url": "https://acme.example/new-order"}),
            *("jwt", "not Entra"),
            id="an ACME request",
        ),
        pytest.param(
            lambda i: i.user_token("1.0", audience="https://contoso.sharepoint.com", header={"nonce": "n"}),
            *("microsoft_token", "for one of Microsoft's own services (nonce in its header)"),
            id="a nonce of Entra's for SharePoint",
        ),
        pytest.param(
            lambda i: i.user_token("1.0", audience=GRAPH, header={"nonce": "n"}),
            *("graph_token", "for Microsoft Graph"),
            id="a nonce of Entra's for Graph",
        ),
        pytest.param(
            _principal("1.0"),
            *("entra_access_token", "Azure Databricks, probably of an application in its own name (oid equals sub, no scp)"),
            id="a service principal's for Databricks, v1",
        ),
        pytest.param(_principal("2.0"), "entra_access_token", "probably of an application", id="the same, v2"),
        pytest.param(
            _principal("1.0", sub="x" * 43), "entra_access_token", "neither scopes nor roles", id="sub differs from oid"
        ),
        pytest.param(
            _principal("1.0", sub=ABSENT, oid=ABSENT), "entra_access_token", "neither scopes nor roles", id="without both"
        ),
    ],
)
def test_a_token_is_called_what_its_issuer_makes_it(bench: Any, mint: Any, kind: str, words: str) -> None:
    what = bench.explain(mint(bench.issuer)).what
    assert what.kind == kind
    assert words in what.sentence
    assert ("Graph" in what.sentence + what.advice) == (kind == "graph_token")


@pytest.mark.parametrize(
    ("mint", "said"),
    [
        pytest.param(lambda issuer: issuer.user_token(header={"nonce": "n"}, key=issuer.stranger_key()), True, id="Entra's"),
        pytest.param(
            lambda issuer: issuer.oidc(keys=issuer.keys).access_token(header={"nonce": "n"}, key=issuer.stranger_key()),
            False,
            id="another issuer's",
        ),
    ],
)
def test_only_of_entras_tokens_a_nonce_explains_a_signature_that_does_not_hold(bench: Any, mint: Any, said: bool) -> None:
    of_idp = Policy(
        [Issuer(IDP, audiences=["https://api.example/"], jwks=dict(bench.issuer.oidc(keys=bench.issuer.keys).jwks()))]
    )
    report = bench.explain(mint(bench.issuer), bench.policy() if said else of_idp)
    check = bench.check(report, "signature")
    assert check.verdict == "failed"
    assert ("Microsoft's own services" in check.finding.fix) == said


def _part(members: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param(_part({"alg": "dir", "enc": "A256GCM"}) + "..aXY.Y2lwaGVy.dGFn", "encrypted_token", id="a JWE"),
        pytest.param(_part({"alg": "RS256"}) + ".b2s.aXY.Y2lwaGVy.dGFn", "damaged_jwt", id="a header without enc"),
        pytest.param(_part(["enc"]) + ".b2s.aXY.Y2lwaGVy.dGFn", "opaque", id="a list"),
        pytest.param("api.eu-west.prod.contoso.example", "opaque", id="a host"),
        pytest.param("10.0.0.0.1", "opaque", id="numbers"),
        pytest.param("....", "opaque", id="dots"),
        pytest.param(_part({"enc": "A256GCM"}) + ".a.b.c.d.e", "damaged_jwt", id="six parts"),
    ],
)
def test_five_parts_are_an_encrypted_token_if_the_first_says_how(bench: Any, text: str, kind: str) -> None:
    assert bench.explain(text).what.kind == kind


@pytest.mark.parametrize("version", ["0", "1"])
def test_what_may_be_an_authorization_code_is_called_so(bench: Any, version: str) -> None:
    what = bench.explain(f"{version}.AVMA6WgJJ9X2qk" + "x" * 200).what
    assert what.sentence.startswith("A refresh token or authorization code of Entra")


# -- who is asked ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "mint"),
    [
        pytest.param(
            lambda bench: bench.policy(), lambda issuer: issuer.user_token(tenant=HOME_TENANT), id="another tenant of its kind"
        ),
        pytest.param(
            lambda bench: bench.databricks(),
            lambda _: OidcIssuer(IDP).access_token(),
            id="the only issuer there is, another host",
        ),
        pytest.param(
            lambda _: Policy([Issuer(f"{IDP}realms/a", audiences=["https://api.example/"])]),
            lambda _: OidcIssuer(f"{IDP}realms/b").access_token(),
            id="the same host, another path",
        ),
    ],
)
def test_keys_are_not_asked_for_where_the_issuer_is_not_the_policys(bench: Any, policy: Any, mint: Any) -> None:
    asked: list[str] = []

    def fetch(request: FetchRequest) -> FetchResponse:
        asked.append(request.url)
        answer: FetchResponse = bench.issuer.fetch(request)
        return answer

    report = bench.explain(mint(bench.issuer), policy(bench), fetch=fetch)
    assert asked == []
    assert report.code in ("issuer_not_trusted", "tenant_not_allowed")
    assert bench.check(report, "signature").finding.seen.endswith("so its keys are not asked for")


def test_keys_are_asked_for_where_the_issuer_is_the_policys_in_another_form(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token("1.0"), bench.policy(versions=["2.0"]))
    assert (report.code, bench.check(report, "signature").verdict) == ("issuer_not_trusted", "ok")
    assert bench.issuer.requests != []
