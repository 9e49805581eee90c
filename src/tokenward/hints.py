"""What an operator should look at for each code: one line, ending in something to do."""

from __future__ import annotations

import re

GRAPH_AUDIENCES = frozenset({"00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com"})
"""Microsoft Graph, as an app id and as a URI; its tokens cannot be verified by anyone else."""

_ENTRA_ISSUER = re.compile(r"https://([a-z.]+)/([0-9a-f-]{36}|\{tenantid\})(/v2\.0|/)$")
_HOSTS_OF_VERSIONS = frozenset(
    {
        ("sts.windows.net", "login.microsoftonline.com"),
        ("sts.windows.net", "login.microsoftonline.us"),
        ("sts.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
    }
)
"""Of each cloud, the host in the issuer of version 1.0 and of 2.0 (learn.microsoft.com/entra/identity-platform/access-tokens)."""
_ENTRA_AUDIENCE = re.compile(r"api://|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

_HINTS = {
    "missing_token": "The client sent no bearer token; send 'Authorization: Bearer <token>', or exempt the path.",
    "invalid_authorization": "The header is not 'Bearer <token>'; look for quotes, line breaks or a missing token in the client.",
    "multiple_tokens": "Two credentials arrived; a proxy or client adds a second Authorization header. Let it send one.",
    "token_too_large": "Raise the policy's max_token_bytes if this is a genuine token; many group claims make tokens large.",
    "malformed_token": "This is no signed JWT; look for a truncated, encrypted or opaque token (a Databricks PAT is dapi...).",
    "algorithm_not_allowed": "Add the algorithm to the issuer's algorithms if the provider really uses it; never 'none' or HS*.",
    "token_type_not_accepted": "The client sends an ID, refresh or other token; have it send the access token for this API.",
    "critical_header_unsupported": "The header demands an extension (crit, b64) that access tokens do not need; ask the issuer.",
    "issuer_not_trusted": "Compare iss with the policy's issuers to the letter (trailing slash, v1 or v2 form, cloud).",
    "tenant_not_allowed": "Add the tenant to the policy's tenants if its users may call; otherwise nothing is wrong here.",
    "audience_not_accepted": "Have the client request a token for this API, or add the audience it uses to the policy.",
    "unknown_key": "Compare its kid with `tokenward keys ISSUER`: another issuer's, withdrawn, or newer than key_age.",
    "key_not_for_issuer": "The signing key belongs to another tenant or cloud; check the authority the client signs in at.",
    "signature_invalid": "The token was altered, or signed by a key that only shares the kid; if it repeats, think of an attack.",
    "token_expired": "The client must renew its token; if all tokens look expired, check this machine's clock.",
    "token_not_yet_valid": "This machine's clock, or the issuer's, is off; synchronise it, or allow a small leeway.",
    "claim_missing": "The issuer does not send this claim; configure it there, or do not require it in the policy.",
    "claim_malformed": "The claim has another type, form or value than the policy demands; compare the two, and ask the issuer.",
    "caller_kind_not_allowed": "The policy's kinds exclude this caller; allow 'app' or 'user' there if it should call.",
    "client_not_allowed": "Add the calling application's id to the policy's clients if it should call.",
    "guest_not_allowed": "The policy refuses guests; invite them as members, or set guests=True.",
    "insufficient_scope": "Grant the client the listed scope and consent to it; the client must then get a new token.",
    "insufficient_role": "Assign the listed application role to the caller; it must then get a new token.",
    "user_not_in_workspace": "Add the user to the Databricks workspace, or check which workspace was asked.",
    "claims_challenge": "The client must sign in again with the claims given; nothing to change here.",
    "exchange_refused": "Compare the token's iss, aud and subject with the Databricks federation policy.",
    "exchange_unavailable": "The token endpoint did not answer; check the workspace address and the network.",
    "keys_unavailable": "The issuer's keys could not be fetched; see the latest keys_refresh_failed event for the reason.",
}

PINNED_KEYS = (
    "The keys are fixed by the policy, and none fits; compare its kid with `tokenward keys ISSUER`, and give the policy today's."
)
"""For `unknown_key` where no key is ever fetched, so that key_age tells nothing."""

_NO_CLIENT = "The token names no calling application, so it is probably an ID token; have the client send its access token."
_HINTS_BY_CLAIM = {
    ("missing_token", "scheme"): "The Authorization header has another scheme; send 'Authorization: Bearer <token>'.",
    ("missing_token", "preflight"): (
        "If this is a CORS preflight, have CORS middleware in front of tokenward answer it, or set allow_preflight."
    ),
    ("malformed_token", "scheme"): "verify() takes the token alone; pass whole Authorization values to authenticate().",
    ("malformed_token", "kid"): "The header's kid is not a usable text; ask the issuer, whose other tokens may be the same.",
    ("tenant_not_allowed", "tid"): (
        "tid and the tenant in iss contradict each other, so this is no genuine token; treat it as an attack."
    ),
    ("issuer_not_trusted", "ver"): "iss and ver contradict each other, so this is no genuine Entra token; treat it as an attack.",
    ("token_type_not_accepted", "nonce header"): (
        "A nonce in the header: of Entra's tokens only the Microsoft service they are for, mostly Graph, can verify such; "
        "ask for this API's."
    ),
    ("claim_missing", "azp"): _NO_CLIENT,
    ("claim_missing", "appid"): _NO_CLIENT,
    ("claim_missing", "exp"): "The token never expires, which no policy accepts; have the issuer set a lifetime.",
    ("client_not_allowed", "check"): "A check of the service's own refused; see the reason, and the policy's checks.",
    ("insufficient_scope", "kind"): (
        "This is an application's token, and applications hold roles, never scopes; require a role of it, or set kinds=['user']."
    ),
    ("exchange_refused", "personal access token"): (
        "A PAT (dapi...) is Databricks' own and used as it is; what can be exchanged is an identity provider's JWT."
    ),
    ("exchange_refused", "alg"): "Databricks takes RS256 and ES256 only; have the identity provider sign with one of them.",
}


def hint_for(code: str, claim: str | None, expected: object, actual: object, issuer: str | None = None) -> str:
    """The operator's next step for a rejection; it may quote the configuration, never the token."""
    if code == "audience_not_accepted" and _mentions_graph(actual):
        return f"This is a Microsoft Graph token; have the client ask for this API's scope instead, such as {_scope(expected)}."
    if code == "audience_not_accepted" and _is_entra(expected) and (issuer is None or _ENTRA_ISSUER.match(issuer[:200])):
        return f"{_HINTS[code]} An Entra client asks for the scope {_scope(expected)}."
    if code == "issuer_not_trusted" and (version := _version_left_out(expected, actual)):
        return f"This is a version {version} token, which the policy's versions leave out; list {version!r} there if you mean to."
    if code == "caller_kind_not_allowed" and actual == "unknown":
        return "The token holds neither a scope nor a role of this API; have the client ask for a scope, or assign it a role."
    if code == "algorithm_not_allowed" and (actual == "none" or str(actual).startswith("HS")):
        return "An unsigned or secret-signed token (none, HS*) is a known attack; no genuine access token looks like that."
    return _HINTS_BY_CLAIM.get((code, claim or ""), _HINTS.get(code, "See the reason; this code is not one of tokenward's."))


def _mentions_graph(actual: object) -> bool:
    values = actual if isinstance(actual, list) else [actual]
    return any(isinstance(value, str) and value.rstrip("/") in GRAPH_AUDIENCES for value in values)


def _version_left_out(expected: object, actual: object) -> str | None:
    """The token's version, if it is of a tenant and cloud of the policy, whose issuers are all of the other version."""
    own = _ENTRA_ISSUER.match(str(actual)[:200])
    listed = [_ENTRA_ISSUER.match(str(issuer)) for issuer in expected] if isinstance(expected, (list, tuple)) else []
    if own is None or None in listed or any(other is not None and other[3] == own[3] for other in listed):
        return None
    if any(other is not None and _same_tenant(own, other) for other in listed):
        return "2.0" if own[3] == "/v2.0" else "1.0"
    return None


def _same_tenant(own: re.Match[str], other: re.Match[str]) -> bool:
    hosts = (other[1], own[1]) if own[3] == "/v2.0" else (own[1], other[1])
    return hosts in _HOSTS_OF_VERSIONS and other[2] in (own[2], "{tenantid}")


def _is_entra(expected: object) -> bool:
    return bool(_ENTRA_AUDIENCE.match(_first(expected)))


def _scope(expected: object) -> str:
    return f"{_first(expected).rstrip('/')}/.default"


def _first(expected: object) -> str:
    return min((str(value) for value in expected), default="") if isinstance(expected, (list, tuple)) else str(expected)
