"""What to change when a token's issuer is not the policy's: version, cloud, tenant, kind of directory, or a slash."""

from __future__ import annotations

from tokenward.errors import AuthenticationError
from tokenward.judging.source import source_of
from tokenward.troubleshoot.explanation import sources
from tokenward.troubleshoot.explanation.audience_advice import names_this_service
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.entra_claims import CLOUD_OF_HOST, PERSONAL_ACCOUNTS, EntraIssuer
from tokenward.troubleshoot.explanation.recognition import OF_DATABRICKS, is_databricks

_AUTHORITIES = {
    "public": "https://login.microsoftonline.com",
    "us-gov": "https://login.microsoftonline.us",
    "china": "https://login.partner.microsoftonline.cn",
}

_OTHER_WORKSPACE = (
    "The token is of another workspace or account: compare the host in its iss with the policy's, and get a token there."
)
_OTHER_RESOURCE = "The version is that of the API that the token is for, and this is another one; see the check of the audience."


def advice(case: Case, rejection: AuthenticationError) -> tuple[str, str]:
    """The fix and its source."""
    own, meant = case.entra, case.meant
    if is_databricks(case.claims.get("iss")):
        return (_OTHER_WORKSPACE if _believes_databricks(case) else OF_DATABRICKS), source_of("issuer")
    if rejection.claim == "tid":
        return rejection.hint, sources.ACCESS_TOKENS
    if own is not None and meant is not None:
        return _between_directories(case, own, meant, rejection)
    if own is not None and own.directory != "workforce":
        return _own_issuer(own), sources.ACCESS_TOKENS
    return _letters(case) or rejection.hint, source_of("issuer")


def _between_directories(case: Case, own: EntraIssuer, meant: EntraIssuer, rejection: AuthenticationError) -> tuple[str, str]:
    if own.directory != "workforce":
        return _own_issuer(own), sources.ACCESS_TOKENS
    if _cloud_differs(case, own, meant):
        where = _AUTHORITIES[meant.cloud or "public"]
        return (
            f"The token is of another cloud ({own.cloud}): have the client sign in at {where}, or change the policy's cloud.",
            sources.CLOUDS,
        )
    if rejection.code == "tenant_not_allowed" or own.tenant not in _tenants(case):
        return _other_tenant(case, own, meant), sources.CLAIMS_VALIDATION
    if own.version != meant.version and not _believes(case, own.version):
        return (_other_version(case, own) if names_this_service(case) else _OTHER_RESOURCE), sources.ACCESS_TOKENS
    return _letters(case) or rejection.hint, sources.ACCESS_TOKENS


def _cloud_differs(case: Case, own: EntraIssuer, meant: EntraIssuer) -> bool:
    """v1 issuers of the public and the US Government cloud are the same, so clouds are compared where they can be told."""
    known = {
        cloud for host, cloud in CLOUD_OF_HOST.items() for issuer in case.issuers if issuer.issuer.startswith(f"https://{host}/")
    }
    return bool(known) and own.cloud not in known and own.cloud != meant.cloud


def _believes_databricks(case: Case) -> bool:
    return any(is_databricks(issuer.issuer) for issuer in case.issuers)


def _believes(case: Case, version: str | None) -> bool:
    return any(issuer.required_values.get("ver") == version for issuer in case.issuers)


def _tenants(case: Case) -> frozenset[str]:
    listed = [issuer.tenants for issuer in case.issuers]
    named = {tenant for tenants in listed if tenants not in (None, "any") for tenant in tenants or ()}
    own = case.entra
    return frozenset(named) if named or own is None else frozenset({own.tenant})


def _other_tenant(case: Case, own: EntraIssuer, meant: EntraIssuer) -> str:
    listed = _tenants(case)
    tenant = min(listed) if len(listed) == 1 else "<tenant of the policy>"
    where = f"{_AUTHORITIES[meant.cloud or 'public']}/{tenant} (not at common, or at the user's home tenant)"
    if case.is_databricks:
        return f"The token is not of the workspace's tenant. Have the client sign in at {where}: az login --tenant {tenant}."
    whose = "the tenant of personal Microsoft accounts, which" if own.tenant == PERSONAL_ACCOUNTS else "a tenant that"
    return (
        f"The token is of {whose} the policy does not list. Have the client sign in at {where}, "
        "or add the tenant to the policy's tenants."
    )


def _other_version(case: Case, own: EntraIssuer) -> str:
    wanted, value = ("2.0", "2") if own.version == "1.0" else ("1.0", "null or 1")
    if not any("ver" in issuer.required_values for issuer in case.issuers):
        told = f"This is a version {own.version} token, and the policy names the issuer of version {wanted} only"
        return f'{told}: write this iss (and its keys) as an issuer of the policy, or use kind = "api".'
    return (
        f"This is a version {own.version} token, and the policy believes version {wanted} only. The API's registration decides, "
        f"not the endpoint: in its manifest set api.requestedAccessTokenVersion to {value}, or list "
        f'"{own.version}" in the policy\'s versions.'
    )


def _own_issuer(own: EntraIssuer) -> str:
    name = "Azure AD B2C" if own.directory == "b2c" else "Entra External ID (CIAM)"
    return (
        f"The token is of {name}, whose issuers are its own: write an Issuer with this iss to the letter, its audiences, and its "
        "discovery_url (the metadata's host may differ from the issuer's)."
    )


def _letters(case: Case) -> str:
    """What differs, if it is little."""
    seen = case.claims.get("iss")
    names = {name for issuer in case.issuers for name in issuer.names()}
    if not isinstance(seen, str):
        return "The token has no iss that is a string; have its issuer send one."
    if seen.rstrip("/") in {name.rstrip("/") for name in names}:
        return "Only the slash at the end differs: issuers compare to the letter, so write it in the policy as the token has it."
    if seen.lower() in {name.lower() for name in names}:
        return "Only upper and lower case differ: issuers compare to the letter."
    add = "If you trust this issuer, add it to the policy (in a Databricks federation policy: issuer)"
    return f"{add}; else get a token of an issuer of the policy."
