"""Graph's objects, with every member that Graph 1.0 sends unasked.

Source: learn.microsoft.com/graph/api/application-get, /serviceprincipal-get, /oauth2permissiongrant-list,
/serviceprincipal-list-approleassignedto, /authorizationpolicy-get and /resources/keycredential, with their examples.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Object: TypeAlias = dict[str, object]

CREATED = "2024-03-05T09:12:41Z"
NO_ROLE = "00000000-0000-0000-0000-000000000000"
"""What an assignment to an application without roles of its own says (resources/approleassignment)."""


def identifier() -> str:
    """A new GUID."""
    return str(uuid.uuid4())


def application(app_id: str, name: str) -> Object:
    """An application object, as `GET /applications(appId='...')` shows it."""
    return {
        "id": identifier(),
        "deletedDateTime": None,
        "appId": app_id,
        "applicationTemplateId": None,
        "disabledByMicrosoftStatus": None,
        "createdDateTime": CREATED,
        "displayName": name,
        "description": None,
        "groupMembershipClaims": None,
        "identifierUris": [],
        "isDeviceOnlyAuthSupported": None,
        "isFallbackPublicClient": None,
        "notes": None,
        "publisherDomain": "contoso.example",
        "signInAudience": "AzureADMyOrg",
        "tags": [],
        "tokenEncryptionKeyId": None,
        "addIns": [],
        "api": {
            "acceptMappedClaims": None,
            "knownClientApplications": [],
            "requestedAccessTokenVersion": 2,
            "oauth2PermissionScopes": [],
            "preAuthorizedApplications": [],
        },
        "appRoles": [],
        "info": {"logoUrl": None, "marketingUrl": None, "privacyStatementUrl": None, "supportUrl": None},
        "keyCredentials": [],
        "optionalClaims": None,
        "parentalControlSettings": {"countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow"},
        "passwordCredentials": [],
        "publicClient": {"redirectUris": []},
        "requiredResourceAccess": [],
        "spa": {"redirectUris": []},
        "web": {
            "homePageUrl": None,
            "logoutUrl": None,
            "redirectUris": [],
            "implicitGrantSettings": {"enableAccessTokenIssuance": False, "enableIdTokenIssuance": False},
        },
    }


def service_principal(app_id: str, name: str, home_tenant: str) -> Object:
    """A service principal, as `GET /servicePrincipals(appId='...')` shows it."""
    return {
        "id": identifier(),
        "deletedDateTime": None,
        "accountEnabled": True,
        "alternativeNames": [],
        "appDisplayName": name,
        "appId": app_id,
        "appOwnerOrganizationId": home_tenant,
        "appRoleAssignmentRequired": False,
        "createdDateTime": CREATED,
        "disabledByMicrosoftStatus": None,
        "displayName": name,
        "homepage": None,
        "loginUrl": None,
        "notificationEmailAddresses": [],
        "preferredSingleSignOnMode": None,
        "replyUrls": [],
        "servicePrincipalNames": [app_id],
        "servicePrincipalType": "Application",
        "signInAudience": "AzureADMyOrg",
        "tags": ["WindowsAzureActiveDirectoryIntegratedApp"],
        "tokenEncryptionKeyId": None,
        "addIns": [],
        "appRoles": [],
        "keyCredentials": [],
        "oauth2PermissionScopes": [],
        "passwordCredentials": [],
        "resourceSpecificApplicationPermissions": [],
    }


def delegated_permission(value: str, *, consent_by: str = "User") -> Object:
    """A scope that a resource exposes; `consent_by` is "User" or "Admin"."""
    return {
        "adminConsentDescription": f"Allow the application to use {value} on behalf of the signed-in user.",
        "adminConsentDisplayName": value,
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, value)),
        "isEnabled": True,
        "type": consent_by,
        "userConsentDescription": f"Allow the application to use {value} on your behalf.",
        "userConsentDisplayName": value,
        "value": value,
    }


def app_role(value: str) -> Object:
    """A permission that a resource exposes for applications."""
    return {
        "allowedMemberTypes": ["Application"],
        "description": value,
        "displayName": value,
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, value)),
        "isEnabled": True,
        "origin": "Application",
        "value": value,
    }


def key_credential(kind: str, usage: str, ends: str) -> Object:
    """A key; the material itself is only shown to who selects it, and never here."""
    return {
        "customKeyIdentifier": base64.b64encode(uuid.uuid4().bytes).decode(),
        "displayName": "CN=contoso.example",
        "endDateTime": ends,
        "key": None,
        "keyId": identifier(),
        "startDateTime": CREATED,
        "type": kind,
        "usage": usage,
    }


def password_credential(ends: str, name: str = "a secret") -> Object:
    """A client secret, of which Graph shows three characters at most."""
    return {
        "customKeyIdentifier": None,
        "displayName": name,
        "endDateTime": ends,
        "hint": "x7Q",
        "keyId": identifier(),
        "secretText": None,
        "startDateTime": CREATED,
    }


def grant(client: str, resource: str, scopes: Sequence[str], user: str | None) -> Object:
    """A consent: by one user for itself, or by an administrator for everybody; `client` and `resource` are object ids."""
    return {
        "clientId": client,
        "consentType": "Principal" if user else "AllPrincipals",
        "id": base64.urlsafe_b64encode(uuid.uuid4().bytes + uuid.uuid4().bytes).decode().rstrip("="),
        "principalId": user,
        "resourceId": resource,
        "scope": " ".join(scopes),
    }


def assignment(kind: str, principal: Mapping[str, object], resource: Mapping[str, object], role: str = NO_ROLE) -> Object:
    """Somebody's role in an application; `kind` is "User", "Group" or "ServicePrincipal"."""
    return {
        "id": base64.urlsafe_b64encode(uuid.uuid4().bytes + uuid.uuid4().bytes).decode().rstrip("="),
        "deletedDateTime": None,
        "appRoleId": role,
        "createdDateTime": CREATED,
        "principalDisplayName": principal["displayName"],
        "principalId": principal["id"],
        "principalType": kind,
        "resourceDisplayName": resource["displayName"],
        "resourceId": resource["id"],
    }


def authorization_policy(user_consent: Sequence[str]) -> Object:
    """What users may do by default; `user_consent` are the policies by which they may consent."""
    return {
        "id": "authorizationPolicy",
        "allowInvitesFrom": "everyone",
        "allowedToSignUpEmailBasedSubscriptions": True,
        "allowedToUseSSPR": True,
        "allowEmailVerifiedUsersToJoinOrganization": False,
        "blockMsolPowerShell": False,
        "description": "Used to manage authorization related settings across the company.",
        "displayName": "Authorization Policy",
        "guestUserRoleId": "10dae51f-b6af-4016-8d66-8c2a99b929b3",
        "defaultUserRolePermissions": {
            "allowedToCreateApps": True,
            "allowedToCreateSecurityGroups": True,
            "allowedToReadOtherUsers": True,
            "permissionGrantPoliciesAssigned": list(user_consent),
        },
    }
