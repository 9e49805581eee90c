"""The documented check: the caller is an active user of the workspace, or a contributor, said outright."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward import Identity, Issuer, Policy, Verifier, entra
from tokenward.entra import DATABRICKS_RESOURCE
from tokenward.errors import AuthenticationError, PolicyError
from tokenward.testing import HandClock, LocalIssuer
from tokenward.testing.workspace import DEFAULT_SERVICE_PRINCIPAL, DEFAULT_USER, DatabricksWorkspace, Fault

Verify = Callable[[str], Identity]


@pytest.fixture
def verify(issuer: LocalIssuer, wall: HandClock) -> Verify:
    """A real identity from a real token."""
    policy = entra.databricks(issuer.tenant, cloud=issuer.cloud)
    return Verifier(policy, clock=wall, fetch=issuer.fetch, observer=None).verify


def _code(asker: Any, *given: Any, **named: Any) -> str:
    with pytest.raises(AuthenticationError) as refused:
        asker.require_user(*given, **named)
    return refused.value.code


def test_a_user_of_the_workspace_passes(asker: Any, issuer: LocalIssuer, verify: Verify) -> None:
    token = issuer.databricks_token()
    assert asker.require_user(verify(token), token).user_name == DEFAULT_USER


def test_letters_case_does_not_count(asker: Any, issuer: LocalIssuer, verify: Verify) -> None:
    token = issuer.databricks_token(claims={"unique_name": "Ada@Contoso.example"})
    assert asker.require_user(verify(token), token).user_name == DEFAULT_USER


def test_a_user_who_is_not_in_the_workspace_does_not_pass(
    asker: Any, issuer: LocalIssuer, verify: Verify, standin: DatabricksWorkspace
) -> None:
    standin.directory.remove(DEFAULT_USER)
    token = issuer.databricks_token()
    assert _code(asker, verify(token), token) == "user_not_in_workspace"


def test_a_deactivated_user_does_not_pass(asker: Any, issuer: LocalIssuer, verify: Verify, standin: DatabricksWorkspace) -> None:
    standin.fail(Fault("lie", "/api/2.0/preview/scim", members={"active": False}))
    token = issuer.databricks_token()
    for contributor in (False, True):
        assert _code(asker, verify(token), token, contributor=contributor) == "user_not_in_workspace"


@pytest.mark.parametrize("contributor", [False, True])
def test_a_token_of_somebody_else_does_not_pass(
    asker: Any, issuer: LocalIssuer, verify: Verify, standin: DatabricksWorkspace, contributor: bool
) -> None:
    """Such as one that was exchanged with a client_id, which makes a service principal of every caller."""
    identity = verify(issuer.databricks_token())
    token = standin.access_token(DEFAULT_SERVICE_PRINCIPAL)
    assert _code(asker, identity, token, contributor=contributor) == "user_not_in_workspace"


def test_an_application_is_known_by_its_id(asker: Any, issuer: LocalIssuer, verify: Verify, standin: DatabricksWorkspace) -> None:
    token = issuer.app_token("1.0", audience=DATABRICKS_RESOURCE, claims={"appid": DEFAULT_SERVICE_PRINCIPAL})
    assert asker.require_user(verify(token), token).user_name == DEFAULT_SERVICE_PRINCIPAL
    assert _code(asker, verify(token), standin.access_token(DEFAULT_USER)) == "user_not_in_workspace"


def test_names_of_guests_are_not_compared(asker: Any, issuer: LocalIssuer, verify: Verify, standin: DatabricksWorkspace) -> None:
    """Databricks knows them by their own address; that it lets them in is what counts."""
    guest = issuer.guest_token("1.0", audience=DATABRICKS_RESOURCE)
    standin.directory.add_user("gil.guest@home.example")
    token = standin.access_token("gil.guest@home.example")
    assert asker.require_user(verify(guest), token).user_name == "gil.guest@home.example"


def test_a_federated_caller_without_such_names_passes_if_the_workspace_knows_the_exchanged_token(
    asker: Any, standin: DatabricksWorkspace, wall: HandClock
) -> None:
    own = Issuer(standin.idp.issuer, audiences=[standin.account_id], jwks=dict(standin.idp.jwks()))
    identity = Verifier(Policy([own]), clock=wall, observer=None).verify(standin.federated_jwt())
    assert asker.require_user(identity, standin.access_token()).user_name == DEFAULT_USER


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"preferred_username": "ada@contoso.example"}, id="a v2 user, whom the workspace cannot know"),
        pytest.param({"unique_name": "live.com#eve@x.example"}, id="a guest"),
        pytest.param({"unique_name": ["ada@contoso.example"]}, id="a name that is a list"),
        pytest.param({"appid": "11111111-2222-3333-4444-555555555555"}, id="another application"),
        pytest.param({}, id="nobody"),
    ],
)
@pytest.mark.parametrize("kind", ["user", "app", "unknown"])
def test_nobody_passes_with_a_service_principals_token(
    asker: Any, standin: DatabricksWorkspace, claims: dict[str, Any], kind: Any
) -> None:
    client = claims.get("appid", "99999999-2222-3333-4444-555555555555")
    identity = Identity("s", "https://idp.example/", None, client, kind, frozenset(), frozenset(), 9e9, claims)
    token = standin.access_token(DEFAULT_SERVICE_PRINCIPAL)
    assert _code(asker, identity, token) == "user_not_in_workspace"


# -- the exception -----------------------------------------------------------------------------------------------------


def test_a_contributor_passes_without_being_a_user_if_the_operator_says_so(
    asker: Any, issuer: LocalIssuer, verify: Verify, standin: DatabricksWorkspace
) -> None:
    standin.directory.remove(DEFAULT_USER)
    token = issuer.databricks_token()
    assert asker.require_user(verify(token), token, contributor=True) is None


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(Fault("html"), "exchange_unavailable", id="no answer"),
        pytest.param(Fault("status", status=401), "exchange_refused", id="a token that is not accepted"),
    ],
)
def test_nothing_else_is_excused_for_a_contributor(
    asker: Any, issuer: LocalIssuer, verify: Verify, standin: DatabricksWorkspace, fault: Fault, code: str
) -> None:
    standin.fail(fault)
    token = issuer.databricks_token()
    assert _code(asker, verify(token), token, contributor=True) == code


@pytest.mark.parametrize("contributor", ["false", "no", 1, None])
def test_only_true_itself_says_that_somebody_is_a_contributor(
    asker: Any, issuer: LocalIssuer, verify: Verify, standin: DatabricksWorkspace, contributor: Any
) -> None:
    token = issuer.databricks_token()
    with pytest.raises(PolicyError):
        asker.require_user(verify(token), token, contributor=contributor)
    assert not standin.requests
