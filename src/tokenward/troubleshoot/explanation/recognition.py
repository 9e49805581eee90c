"""Which of the many JWTs this is, by what it says of itself. Nothing here is verified."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tokenward.entra import DATABRICKS_RESOURCE, caller_kind
from tokenward.hints import GRAPH_AUDIENCES
from tokenward.issuer import ID_TOKEN_MARKS
from tokenward.issuer_fields import NOT_ACCESS_TOKENS
from tokenward.token.caller import is_guest
from tokenward.troubleshoot.explanation.entra_claims import entra_issuer
from tokenward.troubleshoot.explanation.what import ASK_ACCESS, What

Members = Mapping[str, object]


_RESOURCES = {
    DATABRICKS_RESOURCE: "Azure Databricks",
    **dict.fromkeys(("https://management.azure.com", "https://management.core.windows.net"), "Azure Resource Manager"),
    "https://storage.azure.com": "Azure Storage",
    "https://vault.azure.net": "Azure Key Vault",
    "https://database.windows.net": "Azure SQL Database",
}
"""Audiences of Microsoft's own, without a slash at the end."""
_CLOUDS = {"public": "public cloud", "us-gov": "US Government cloud", "china": "China cloud"}
_ZONES = (
    *(".azuredatabricks.net", ".databricks.azure.us", ".databricks.azure.cn"),
    *(".cloud.databricks.com", ".cloud.databricks.us", ".gcp.databricks.com"),
)
"""Databricks' DNS zones (databricks-sdk-py environments.py)."""
OF_DATABRICKS = "Send it to its workspace as it is; to accept it here, use the policy of tokenward.databricks.issued_tokens."
_DATABRICKS_ISSUER = re.compile(r"https://([a-z0-9.-]{1,250})/oidc(?:/accounts/[0-9a-f-]{36})?")


def recognise_jwt(header: Members, claims: Members) -> What:
    """What this JWT is, by what it says of itself."""
    found = (recogniser(header, claims) for recogniser in _RECOGNISERS)
    return next((what for what in found if what is not None), _any_jwt(header))


def _unsigned(header: Members, claims: Members) -> What | None:  # noqa: ARG001  # one form for all
    if str(header.get("alg")).lower() != "none":
        return None
    return What(
        "unsigned_jwt", "A JWT without a signature (alg none), which proves nothing.", "Get one that its issuer has signed."
    )


def _for_microsoft(header: Members, claims: Members) -> What | None:
    """Others may put a nonce into a header for reasons of their own (RFC 8555 section 6.5.2), so only Entra's are meant."""
    if entra_issuer(claims.get("iss")) is None:
        return None
    has_nonce = header.get("nonce") is not None
    if not GRAPH_AUDIENCES.intersection(audiences(claims)):
        return _MICROSOFT if has_nonce else None
    why = " (its header is changed by a nonce)" if has_nonce else ""
    sentence = f"An access token of Entra for Microsoft Graph, which nobody but Graph can verify{why}."
    return What(
        "graph_token", sentence, "Have the client ask for a scope of this API, instead of User.Read or another of Graph's."
    )


_MICROSOFT = What(
    "microsoft_token",
    "An Entra token for one of Microsoft's own services (nonce in its header), which nobody but that service can verify.",
    "Have the client ask for a scope of this API, instead of one of Microsoft's services.",
)


def _no_access(header: Members, claims: Members) -> What | None:  # noqa: ARG001
    """What a claim says outright; ID tokens have other marks, too, and are recognised by all of them below."""
    said = _says(claims)
    return None if said is None or said in _ID else _NO_ACCESS.get(said, _OTHER)


def _says(claims: Members) -> str | None:
    """The mark of a token that is no access token, by the middleware's own table."""
    return next((value for name, values in NOT_ACCESS_TOKENS.items() for value in values if claims.get(name) == value), None)


_ID = ("ID", "id")
_REFRESH = What(
    "refresh_token", "A refresh token in the form of a JWT, which is for its issuer's token endpoint alone.", ASK_ACCESS
)
_NO_ACCESS = {
    **dict.fromkeys(("Refresh", "Offline"), _REFRESH),
    "Logout": What("logout_token", "A logout token: it tells an application that a session ended, and opens no API.", ASK_ACCESS),
}
_OTHER = What("no_access_token", "A JWT that says itself that it is no access token.", ASK_ACCESS)


def _id_token(header: Members, claims: Members) -> What | None:
    """Entra's name no calling application; app roles of the user may be in them."""
    marks = any(claims.get(mark) is not None for mark in ID_TOKEN_MARKS)
    says = _says(claims) in _ID
    of_entra = entra_issuer(claims.get("iss")) is not None
    names_nobody = of_entra and not any(claims.get(name) for name in ("azp", "appid", "scp"))
    if not (says or names_nobody or (marks and str(header.get("typ")).lower() != "at+jwt")):
        return None
    whose = "An ID token of Entra" if of_entra else "An ID token"
    return What("id_token", f"{whose}: it tells an application who signed in, and opens no API.", ASK_ACCESS)


def _of_databricks(header: Members, claims: Members) -> What | None:  # noqa: ARG001
    if not is_databricks(claims.get("iss")):
        return None
    return What("databricks_token", "An OAuth token that Databricks itself has issued.", OF_DATABRICKS)


def is_databricks(issuer: object) -> bool:
    """Whether this is the issuer of a workspace's or account's own tokens."""
    found = _DATABRICKS_ISSUER.fullmatch(issuer) if isinstance(issuer, str) else None
    return found is not None and found[1].endswith(_ZONES)


def _of_entra(header: Members, claims: Members) -> What | None:  # noqa: ARG001
    issuer = entra_issuer(claims.get("iss"))
    if issuer is None:
        return None
    if issuer.directory == "b2c":
        return What("b2c_token", "An access token of Azure AD B2C.", _PIN)
    if issuer.directory == "ciam":
        return What("ciam_token", "An access token of Entra External ID (CIAM).", _PIN)
    cloud = _CLOUDS.get(issuer.cloud or "", "cloud unknown")
    sentence = f"A version {issuer.version} access token of Entra ({cloud}){_meant_for(claims)}, {_caller(claims)}."
    return What(_KINDS[caller_kind(claims)], sentence)


_PIN = "Give its iss and its discovery_url to an Issuer of your own; the host of the two may differ."


_KINDS = {"user": "entra_user_token", "app": "entra_app_token", "unknown": "entra_access_token"}


def _meant_for(claims: Members) -> str:
    named = resource_of(claims)
    return f" for {named}" if named else ""


def _caller(claims: Members) -> str:
    kind = caller_kind(claims)
    if kind == "app":
        return "of an application in its own name (app-only)"
    if kind == "user":
        return "of a guest of the tenant" if is_guest(claims) else "of a user, through an application"
    if claims.get("oid") is not None and claims.get("oid") == claims.get("sub"):
        return "probably of an application in its own name (oid equals sub, no scp)"
    return "which names neither scopes nor roles"


def _any_jwt(header: Members) -> What:
    if str(header.get("typ")).lower().removeprefix("application/") == "at+jwt":
        return What("access_token", "A JWT access token (RFC 9068), of an issuer that is not Entra.")
    return What("jwt", "A signed JWT, of an issuer that is not Entra.")


_RECOGNISERS: tuple[Callable[[Members, Members], What | None], ...] = (
    _unsigned,
    _for_microsoft,
    _no_access,
    _of_databricks,
    _id_token,
    _of_entra,
)


def resource_of(claims: Members) -> str | None:
    """The service of Microsoft's own that the token is for, by its name."""
    return next((_RESOURCES[name] for name in audiences(claims) if name in _RESOURCES), None)


def audiences(claims: Members) -> list[str]:
    """The texts in `aud`, without a slash at the end."""
    given = claims.get("aud")
    listed = given if isinstance(given, list) else [given]
    return [name.rstrip("/") for name in listed if isinstance(name, str)]
