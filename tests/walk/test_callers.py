"""Who may call: kinds, clients, guests, scopes, roles and a service's own checks. All of it only after the signature held."""

from __future__ import annotations

from typing import Any

import pytest

from tokenward import Identity, Policy, entra
from tokenward.errors import ClientNotAllowed, TokenRejected
from tokenward.token.caller import lacks_scopes

ISS = "https://idp.example/"


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        pytest.param({"idtyp": "app", "scp": "a"}, "app", id="idtyp app, whatever else"),
        pytest.param({"idtyp": "user", "roles": ["r"]}, "user", id="idtyp user"),
        pytest.param({"scp": "a", "roles": ["r"]}, "user", id="scopes"),
        pytest.param({"roles": ["r"]}, "app", id="roles without scopes"),
        pytest.param({}, "unknown", id="neither"),
        pytest.param({"scp": "", "roles": []}, "unknown", id="both empty"),
        pytest.param({"idtyp": "device"}, "unknown", id="another idtyp"),
        pytest.param({"idtyp": ["app"]}, "unknown", id="idtyp of the wrong type"),
        pytest.param({"idtyp": None, "scp": "a"}, "user", id="idtyp null"),
    ],
)
def test_entra_tokens_say_whether_a_user_or_an_app_calls(desk: Any, claims: dict[str, Any], kind: str) -> None:
    verifier = desk.verifier(desk.rule(kind_of=entra.caller_kind))
    assert verifier.verify(desk.token(desk.claims(**claims))).kind == kind


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        pytest.param({"sub": "app-1", "client_id": "app-1"}, "app", id="the subject is the client"),
        pytest.param({"sub": "user-1", "client_id": "app-1"}, "unknown", id="the subject is another"),
        pytest.param({"sub": "user-1"}, "unknown", id="no client"),
        pytest.param({"sub": ..., "client_id": "app-1"}, "unknown", id="no subject"),
        pytest.param({"sub": ...}, "unknown", id="neither"),
    ],
)
def test_elsewhere_a_subject_that_is_the_client_is_an_app(desk: Any, claims: dict[str, Any], kind: str) -> None:
    assert desk.verifier().verify(desk.token(desk.claims(**claims))).kind == kind


@pytest.mark.parametrize(
    ("options", "claims", "code"),
    [
        pytest.param({"kinds": ["user"]}, {"idtyp": "user"}, "accepted", id="a user where users may"),
        pytest.param({"kinds": ["user"]}, {"idtyp": "app"}, "caller_kind_not_allowed", id="an app where users may"),
        pytest.param({"kinds": ["app"]}, {"scp": "a"}, "caller_kind_not_allowed", id="a user where apps may"),
        pytest.param({"kinds": ["user", "app"]}, {}, "caller_kind_not_allowed", id="unknown where it must be known"),
        pytest.param({"kinds": ["unknown"]}, {}, "accepted", id="unknown where unknown may"),
        pytest.param({"clients": ["app-1"]}, {"azp": "app-1"}, "accepted", id="a listed client"),
        pytest.param({"clients": ["app-1"]}, {"azp": "app-2"}, "client_not_allowed", id="another client"),
        pytest.param({"clients": ["app-1"]}, {"azp": "APP-1"}, "client_not_allowed", id="a client in another case"),
        pytest.param({"clients": ["app-1"]}, {}, "client_not_allowed", id="no client"),
        pytest.param({"guests": False}, {"acct": 1}, "guest_not_allowed", id="acct 1"),
        pytest.param({"guests": False}, {"acct": "1"}, "guest_not_allowed", id="acct 1 as text"),
        pytest.param({"guests": False}, {"acct": 0}, "accepted", id="acct 0"),
        pytest.param({"guests": False}, {"idp": "https://other.example/"}, "guest_not_allowed", id="another idp"),
        pytest.param({"guests": False}, {"idp": "live.com", "acct": 0}, "guest_not_allowed", id="another idp, though acct is 0"),
        pytest.param({"guests": False}, {"idp": ISS}, "accepted", id="idp is the issuer"),
        pytest.param({"guests": False}, {"idp": ["x"]}, "guest_not_allowed", id="idp of the wrong type"),
        pytest.param({"guests": False}, {}, "accepted", id="the token does not say"),
        pytest.param({"guests": True}, {"acct": 1}, "accepted", id="a guest where guests may"),
        pytest.param({"required_scopes": ["a"]}, {"scp": "a b"}, "accepted", id="the scope among others"),
        pytest.param({"required_scopes": ["a", "b"]}, {"scp": "a"}, "insufficient_scope", id="one scope missing"),
        pytest.param({"required_scopes": ["a"]}, {"scp": "A"}, "insufficient_scope", id="a scope in another case"),
        pytest.param({"required_scopes": ["a"]}, {"scp": "ab"}, "insufficient_scope", id="a longer scope"),
        pytest.param({"required_scopes": ["a"]}, {}, "insufficient_scope", id="no scopes"),
        pytest.param({"required_scopes": ["a"]}, {"roles": ["a"]}, "insufficient_scope", id="a role is no scope"),
        pytest.param({"required_roles": ["R"]}, {"roles": ["R", "S"]}, "accepted", id="the role among others"),
        pytest.param({"required_roles": ["R", "S"]}, {"roles": ["R"]}, "insufficient_role", id="one role missing"),
        pytest.param({"required_roles": ["R"]}, {"scp": "R"}, "insufficient_role", id="a scope is no role"),
        pytest.param({"required_roles": ["R"]}, {}, "insufficient_role", id="no roles"),
    ],
)
def test_only_callers_the_policy_names_may_call(desk: Any, options: dict[str, Any], claims: dict[str, Any], code: str) -> None:
    verifier = desk.verifier(desk.rule(kind_of=entra.caller_kind, **options))
    token = desk.token(desk.claims(**claims))
    assert desk.verdict(verifier, token) == code
    if code != "accepted":
        rejection = desk.rejection(lambda: verifier.verify(token))
        assert (rejection.status, rejection.error, rejection.signature_held) == (403, "insufficient_scope", True)


@pytest.mark.parametrize(
    "options",
    [
        {"kinds": ["app"]},
        {"clients": ["app-1"]},
        {"guests": False},
        {"required_scopes": ["a"]},
        {"required_roles": ["R"]},
    ],
    ids=lambda options: next(iter(options)),
)
def test_nothing_is_said_about_the_caller_of_a_forged_token(desk: Any, options: dict[str, Any]) -> None:
    verifier = desk.verifier(desk.rule(kind_of=entra.caller_kind, **options))
    claims = desk.claims(idtyp="user", azp="app-2", acct=1, scp="b", roles=["S"])
    genuine = desk.rejection(lambda: verifier.verify(desk.token(claims)))
    forged = desk.rejection(lambda: verifier.verify(desk.token(claims, signer="rsa-2", kid="kid-rsa")))
    assert (genuine.status, forged.status) == (403, 401)
    assert (forged.code, forged.public_description) == ("signature_invalid", "The access token is invalid")


def test_a_missing_scope_is_named_for_the_challenge(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(required_scopes=["jobs.read", "jobs.run"]))
    rejection = desk.rejection(lambda: verifier.verify(desk.token(desk.claims(scp="jobs.read"))))
    assert (rejection.scope, rejection.expected, rejection.actual) == (
        "jobs.read jobs.run",
        ["jobs.read", "jobs.run"],
        ["jobs.read"],
    )


def test_a_door_may_ask_for_further_scopes_in_the_same_words(desk: Any) -> None:
    identity = desk.verifier().verify(desk.token(desk.claims(scp="a")))
    rejection = lacks_scopes(["a", "b"], identity)
    assert (rejection.code, rejection.scope, rejection.signature_held, rejection.issuer) == (
        "insufficient_scope",
        "a b",
        True,
        ISS,
    )


def test_a_services_own_check_runs_last_and_for_every_request(desk: Any) -> None:
    seen: list[Identity] = []

    def refuse_the_second(identity: Identity) -> None:
        seen.append(identity)
        if len(seen) == 2:
            raise ClientNotAllowed("enough")

    verifier = desk.verifier(policy=Policy([desk.rule()], checks=[refuse_the_second]))
    token = desk.token()
    assert desk.verdict(verifier, token) == "accepted"
    refused = desk.rejection(lambda: verifier.verify(token))
    assert (refused.code, refused.signature_held, refused.issuer) == ("client_not_allowed", True, ISS)
    assert desk.verdict(verifier, token) == "accepted"
    assert len(seen) == 3
    assert desk.verdict(verifier, desk.token(desk.claims(aud="other"))) == "audience_not_accepted"
    assert len(seen) == 3


def test_a_refusal_of_a_remembered_token_says_as_much_as_that_of_a_new_one(desk: Any) -> None:
    answers = iter([True, False, True])

    def refuse_when_told(identity: Identity) -> None:
        if next(answers):
            raise ClientNotAllowed("told to")

    verifier = desk.verifier(policy=Policy([desk.rule()], checks=[refuse_when_told]))
    token = desk.token(desk.claims(azp="client-1"))
    first = desk.rejection(lambda: verifier.verify(token))
    assert desk.verdict(verifier, token) == "accepted"
    again = desk.rejection(lambda: verifier.verify(token))
    said = [
        (error.kid, error.algorithm, error.issuer, error.client, error.key_age, error.signature_held) for error in (first, again)
    ]
    assert said == [("kid-rsa", "RS256", ISS, "client-1", None, True)] * 2


def test_the_cause_of_a_services_own_refusal_is_kept(desk: Any) -> None:
    def refuse_because(identity: Identity) -> None:
        raise ClientNotAllowed("not in the list") from KeyError("list")

    def refuse_without_a_code(identity: Identity) -> None:
        raise TokenRejected("because")

    refused = desk.rejection(lambda: desk.verifier(policy=Policy([desk.rule()], checks=[refuse_because])).verify(desk.token()))
    assert isinstance(refused.__cause__, KeyError)
    bare = desk.rejection(
        lambda: desk.verifier(policy=Policy([desk.rule()], checks=[refuse_without_a_code])).verify(desk.token())
    )
    assert (bare.code, bare.reason, type(bare.__cause__)) == ("client_not_allowed", "because", TokenRejected)
