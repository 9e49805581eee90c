"""Claims: one table for each rule of what a token must say (RFC 7519 section 4.1)."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tokenward import TokenRejected
from tokenward.identity import Claims
from tokenward.issuer import Issuer
from tokenward.token.claims import CLAIM_CHECKS
from tokenward.token.lifetime import MAX_DATE

HUGE = 10**400


@pytest.mark.parametrize(
    ("exp", "code"),
    [
        pytest.param(..., "claim_missing", id="absent"),
        pytest.param(None, "claim_missing", id="null"),
        pytest.param("1900000000", "claim_malformed", id="a string"),
        pytest.param("", "claim_malformed", id="an empty string"),
        pytest.param(True, "claim_malformed", id="true"),
        pytest.param(False, "claim_malformed", id="false"),
        pytest.param([1900000000], "claim_malformed", id="a list"),
        pytest.param({"a": 1}, "claim_malformed", id="an object"),
        pytest.param(0, "token_expired", id="zero"),
        pytest.param(-1, "token_expired", id="negative"),
        pytest.param(-1.5e300, "claim_malformed", id="a float far below zero"),
        pytest.param(1e-300, "token_expired", id="a very small float"),
    ],
)
def test_exp_is_required_and_a_number(desk: Any, exp: object, code: str) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(exp=exp))) == code


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_time_that_is_not_finite_is_malformed(desk: Any, name: str, text: str) -> None:
    claims = b'{"iss":"https://idp.example/","aud":"api://jobs","exp":1900000000,"%s":%s}' % (name.encode(), text.encode())
    assert desk.verdict(desk.verifier(), desk.token(claims)) == "malformed_token"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", [HUGE, -HUGE, 10**4000], ids=["400 digits", "400 digits below zero", "4000 digits"])
@pytest.mark.parametrize("fetched", [False, True], ids=["keys in hand", "keys to be fetched"])
def test_a_time_beyond_every_double_is_refused_and_raises_nothing_else(desk: Any, name: str, value: int, fetched: bool) -> None:
    remote = {"jwks": ..., "jwks_uri": "https://idp.example/keys"} if fetched else {}
    verifier = desk.verifier(desk.rule(leeway=1, **remote))
    claims = b'{"iss":"https://idp.example/","aud":"api://jobs","exp":1900000000,"%s":%d}' % (name.encode(), value)
    assert desk.verdict(verifier, desk.token(claims)) == "claim_malformed"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param(MAX_DATE + 2, "claim_malformed", id="just beyond exact numbers"),
        pytest.param(-MAX_DATE - 2, "claim_malformed", id="just below exact numbers"),
        pytest.param(2**64, "claim_malformed", id="an integer of 65 bits"),
        pytest.param(1e300, "claim_malformed", id="a float far beyond"),
        pytest.param(-1e300, "claim_malformed", id="a float far below"),
    ],
)
def test_a_date_is_within_the_numbers_that_every_parser_reads_alike(desk: Any, name: str, value: float, code: str) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(**{name: value}))) == code


def test_a_far_end_within_exact_numbers_is_an_end(desk: Any) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(exp=MAX_DATE))) == "accepted"


@pytest.mark.parametrize(
    ("leeway", "offset", "code"),
    [
        pytest.param(0, 1, "accepted", id="one second left"),
        pytest.param(0, 0.5, "accepted", id="half a second left"),
        pytest.param(0, 0, "token_expired", id="exactly now"),
        pytest.param(0, -1, "token_expired", id="a second ago"),
        pytest.param(60, -59, "accepted", id="just inside the leeway"),
        pytest.param(60, -59.5, "accepted", id="half a second inside the leeway"),
        pytest.param(60, -60, "token_expired", id="exactly at the end of the leeway"),
        pytest.param(60, -61, "token_expired", id="beyond the leeway"),
    ],
)
def test_exp_fails_from_the_second_it_names(desk: Any, leeway: float, offset: float, code: str) -> None:
    token = desk.token(desk.claims(exp=desk.now + offset))
    assert desk.verdict(desk.verifier(desk.rule(leeway=leeway)), token) == code


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(
    ("leeway", "offset", "code"),
    [
        pytest.param(0, -1, "accepted", id="a second ago"),
        pytest.param(0, 0, "accepted", id="exactly now"),
        pytest.param(0, 0.5, "token_not_yet_valid", id="in half a second"),
        pytest.param(0, 1, "token_not_yet_valid", id="in a second"),
        pytest.param(0, 1e12, "token_not_yet_valid", id="far in the future"),
        pytest.param(60, 60, "accepted", id="exactly at the end of the leeway"),
        pytest.param(60, 61, "token_not_yet_valid", id="beyond the leeway"),
    ],
)
def test_nbf_and_iat_may_not_lie_in_the_future(desk: Any, name: str, leeway: float, offset: float, code: str) -> None:
    token = desk.token(desk.claims(**{name: desk.now + offset, "exp": desk.now + 3600}))
    assert desk.verdict(desk.verifier(desk.rule(leeway=leeway)), token) == code


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param(..., "accepted", id="absent"),
        pytest.param(None, "accepted", id="null"),
        pytest.param(0, "accepted", id="zero"),
        pytest.param(-5, "accepted", id="negative"),
        pytest.param("0", "claim_malformed", id="a string"),
        pytest.param(False, "claim_malformed", id="a boolean"),
        pytest.param([], "claim_malformed", id="a list"),
        pytest.param({}, "claim_malformed", id="an object"),
    ],
)
def test_nbf_and_iat_are_numbers_where_they_are_there(desk: Any, name: str, value: object, code: str) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(**{name: value}))) == code


@pytest.mark.parametrize(
    ("aud", "code"),
    [
        pytest.param("api://jobs", "accepted", id="the service"),
        pytest.param(["api://jobs"], "accepted", id="a list of it"),
        pytest.param(["other", "api://jobs"], "accepted", id="one of several"),
        pytest.param(..., "claim_missing", id="absent"),
        pytest.param(None, "claim_missing", id="null"),
        pytest.param("", "audience_not_accepted", id="empty"),
        pytest.param([], "audience_not_accepted", id="an empty list"),
        pytest.param("api://jobs/", "audience_not_accepted", id="a slash more"),
        pytest.param("API://jobs", "audience_not_accepted", id="another case"),
        pytest.param(" api://jobs", "audience_not_accepted", id="a space in front"),
        pytest.param("api://jobs other", "audience_not_accepted", id="a list in one string"),
        pytest.param("api", "audience_not_accepted", id="a part of it"),
        pytest.param("api://jobs-admin", "audience_not_accepted", id="it and more"),
        pytest.param("*", "audience_not_accepted", id="a star"),
        pytest.param(["other"], "audience_not_accepted", id="a list of others"),
        pytest.param([["api://jobs"]], "claim_malformed", id="a nested list"),
        pytest.param(["api://jobs", 1], "claim_malformed", id="a number in the list"),
        pytest.param(["api://jobs", None], "claim_malformed", id="null in the list"),
        pytest.param({"api://jobs": True}, "claim_malformed", id="an object"),
        pytest.param(1, "claim_malformed", id="a number"),
        pytest.param(True, "claim_malformed", id="a boolean"),
    ],
)
def test_one_of_the_audiences_is_this_service_exactly(desk: Any, aud: object, code: str) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(aud=aud))) == code


def test_a_required_claim_is_there_and_not_null(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(required_claims=["exp", "jti", "org"]))
    assert desk.verdict(verifier, desk.token(desk.claims(jti="1", org=0))) == "accepted"
    assert desk.verdict(verifier, desk.token(desk.claims(jti="1", org=None))) == "claim_missing"
    rejection = desk.rejection(lambda: verifier.verify(desk.token(desk.claims(org=1))))
    assert (rejection.code, rejection.claim) == ("claim_missing", "jti")


def test_exp_is_required_even_where_the_policy_forgets_it(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(required_claims=[]))
    assert desk.verdict(verifier, desk.token(desk.claims(exp=...))) == "claim_missing"


@pytest.mark.parametrize(
    ("ver", "code"),
    [
        pytest.param("2.0", "accepted", id="as required"),
        pytest.param(..., "claim_missing", id="absent"),
        pytest.param(None, "claim_missing", id="null"),
        pytest.param("1.0", "issuer_not_trusted", id="another version"),
        pytest.param(2.0, "issuer_not_trusted", id="a number"),
        pytest.param(["2.0"], "issuer_not_trusted", id="a list"),
    ],
)
def test_ver_contradicting_the_issuer_is_no_trusted_issuer(desk: Any, ver: object, code: str) -> None:
    verifier = desk.verifier(desk.rule(required_values={"ver": "2.0"}))
    assert desk.verdict(verifier, desk.token(desk.claims(ver=ver))) == code


def test_another_required_value_that_differs_is_malformed(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(required_values={"env": "prod"}))
    assert desk.verdict(verifier, desk.token(desk.claims(env="prod"))) == "accepted"
    rejection = desk.rejection(lambda: verifier.verify(desk.token(desk.claims(env="test"))))
    assert (rejection.code, rejection.claim, rejection.expected) == ("claim_malformed", "env", "prod")


@pytest.mark.parametrize(
    ("marks", "code"),
    [
        pytest.param({"nonce": "n"}, "token_type_not_accepted", id="nonce"),
        pytest.param({"nonce": 0}, "token_type_not_accepted", id="nonce of any type"),
        pytest.param({"at_hash": "h"}, "token_type_not_accepted", id="at_hash"),
        pytest.param({"c_hash": "h"}, "token_type_not_accepted", id="c_hash"),
        pytest.param({"typ": "ID"}, "token_type_not_accepted", id="Keycloak ID token"),
        pytest.param({"typ": "Refresh"}, "token_type_not_accepted", id="Keycloak refresh token"),
        pytest.param({"typ": "Offline"}, "token_type_not_accepted", id="Keycloak offline token"),
        pytest.param({"typ": "Logout"}, "token_type_not_accepted", id="Keycloak logout token"),
        pytest.param({"token_use": "id"}, "token_type_not_accepted", id="Cognito ID token"),
        pytest.param({"typ": "Bearer"}, "accepted", id="Keycloak access token"),
        pytest.param({"token_use": "access"}, "accepted", id="Cognito access token"),
        pytest.param({"nonce": None, "typ": None}, "accepted", id="null"),
        pytest.param({"typ": ["ID"], "token_use": {"a": 1}}, "accepted", id="marks of other types say nothing"),
    ],
)
def test_what_marks_itself_as_no_access_token_is_refused(desk: Any, marks: dict[str, object], code: str) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(**marks))) == code


def test_a_policy_may_say_which_marks_its_issuer_puts_into_access_tokens(desk: Any) -> None:
    keycloak_24 = desk.verifier(desk.rule(id_token_marks=["at_hash"]))
    assert desk.verdict(keycloak_24, desk.token(desk.claims(nonce="n", typ="Bearer"))) == "accepted"
    assert desk.verdict(keycloak_24, desk.token(desk.claims(at_hash="h"))) == "token_type_not_accepted"


@pytest.mark.parametrize("name", ["sub", "tid", "azp", "appid", "client_id", "cid"])
@pytest.mark.parametrize("value", [1, True, ["x"], {"x": 1}, ""], ids=["number", "boolean", "list", "object", "empty"])
def test_what_becomes_a_name_in_the_identity_is_a_text(desk: Any, name: str, value: object) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(**{name: value}))) == "claim_malformed"


@pytest.mark.parametrize("name", ["scp", "scope", "roles"])
@pytest.mark.parametrize("value", [1, True, {"a": 1}, ["a", 1], [["a"]]], ids=["number", "boolean", "object", "mixed", "nested"])
def test_scopes_and_roles_are_texts(desk: Any, name: str, value: object) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(**{name: value}))) == "claim_malformed"


@pytest.mark.parametrize(
    ("claims", "scopes", "roles"),
    [
        pytest.param({}, set(), set(), id="none"),
        pytest.param({"scp": "a b"}, {"a", "b"}, set(), id="Entra"),
        pytest.param({"scope": "a  b "}, {"a", "b"}, set(), id="RFC 8693, with spaces too many"),
        pytest.param({"scp": ["a", "b"]}, {"a", "b"}, set(), id="Okta"),
        pytest.param({"scp": None, "scope": "a"}, {"a"}, set(), id="null beside a value"),
        pytest.param({"scp": ""}, set(), set(), id="an empty text"),
        pytest.param({"roles": ["x", "y"]}, set(), {"x", "y"}, id="roles"),
    ],
)
def test_scopes_and_roles_are_read_in_the_forms_issuers_use(desk: Any, claims: Claims, scopes: set[str], roles: set[str]) -> None:
    verified = desk.verifier().verify(desk.token(desk.claims(**claims)))
    assert (verified.scopes, verified.roles) == (scopes, roles)


def test_a_verified_token_becomes_the_identity_it_describes(desk: Any) -> None:
    claims = desk.claims(tid="t", azp="app-1", scp="jobs.read", roles=["Admin"], oid="o")
    verified = desk.verifier(desk.rule(subject_claim="oid")).verify(desk.token(claims))
    assert (verified.subject, verified.issuer, verified.tenant, verified.client_id) == ("o", desk.issuer, "t", "app-1")
    assert (verified.kind, verified.scopes, verified.roles) == ("unknown", {"jobs.read"}, {"Admin"})
    assert verified.expires_at == desk.now + 3600
    assert verified.claims == claims


@pytest.mark.parametrize(
    ("claims", "client"),
    [
        ({"azp": "1", "appid": "2", "client_id": "3", "cid": "4"}, "1"),
        ({"appid": "2", "client_id": "3"}, "2"),
        ({"client_id": "3", "cid": "4"}, "3"),
        ({"cid": "4"}, "4"),
        ({"azp": None, "appid": "2"}, "2"),
        ({}, None),
    ],
)
def test_the_calling_application_is_named_by_azp_appid_client_id_or_cid(desk: Any, claims: Claims, client: str | None) -> None:
    assert desk.verifier().verify(desk.token(desk.claims(**claims))).client_id == client


def test_without_a_subject_claim_there_is_no_subject(desk: Any) -> None:
    assert desk.verifier().verify(desk.token(desk.claims(sub=...))).subject is None


def test_the_repr_of_an_identity_names_no_person(desk: Any) -> None:
    verified = desk.verifier().verify(desk.token(desk.claims(sub="canary", upn="canary@example", tid="canary")))
    assert "canary" not in repr(verified)


def test_every_claim_check_passes_or_raises_what_is_ours_for_any_json_value(desk: Any) -> None:
    issuer: Issuer = desk.rule(required_values={"ver": "2.0"}, required_claims=["exp", "sub"])
    values: list[Any] = [None, True, 0, -1, 1.5, "", "x", [], ["x"], [None], {}, {"x": []}]
    names = ["exp", "nbf", "iat", "aud", "iss", "sub", "ver", "typ", "token_use", "nonce"]
    for name in names:
        for value in values:
            claims = desk.claims(ver="2.0") | {name: value}
            for row in CLAIM_CHECKS:
                _passes_or_raises_ours(row.check, issuer, claims)


def _passes_or_raises_ours(check: Any, issuer: Issuer, claims: Claims) -> None:
    with contextlib.suppress(TokenRejected):
        check(issuer, claims)


def test_claims_are_judged_again_after_the_signature_held(desk: Any) -> None:
    rejection = desk.rejection(lambda: desk.verifier().verify(desk.token(desk.claims(exp=desk.now - 5))))
    assert (rejection.signature_held, rejection.public_description) == (True, "The access token expired")
    assert (rejection.claim, rejection.actual) == ("exp", desk.now - 5)
