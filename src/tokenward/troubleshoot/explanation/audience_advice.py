"""What to change when a token is for somebody else: mostly it is for the same API in another form."""

from __future__ import annotations

from tokenward.errors import AuthenticationError
from tokenward.hints import GRAPH_AUDIENCES
from tokenward.judging.source import source_of
from tokenward.troubleshoot.explanation import sources
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.entra_claims import entra_issuer
from tokenward.troubleshoot.explanation.recognition import audiences, resource_of
from tokenward.validation import GUID

_ACCOUNT = (
    "The policy expects an id. A Databricks federation policy that leaves audiences out means the account's id: set its "
    "audiences to the token's aud, or have the client ask for a token for that id."
)
_MANIFEST = ", or set api.requestedAccessTokenVersion to 2 in the API's manifest, and tokens hold the client id"
_ANY_TENANT = "00000000-0000-0000-0000-000000000000"


def advice(case: Case, _: AuthenticationError) -> tuple[str, str]:
    """The fix and its source."""
    source = sources.DATABRICKS_TOKENS if case.is_databricks else sources.ACCESS_TOKENS
    ask = f" An Entra client asks for the scope {case.scope}." if case.scope else ""
    return f"{_about(case)}{ask}", source if case.meant is not None else source_of("audience")


def names_this_service(case: Case) -> bool:
    """Whether the token is for this service, if perhaps in another form of its name."""
    wanted = {name.rstrip("/") for name in case.issuer.audiences}
    return any(_form(case, name, wanted) for name in audiences(case.claims))


def _about(case: Case) -> str:
    given = audiences(case.claims)
    if not given:
        return "The token has no aud that is a string or a list of strings; have its issuer send one."
    wanted = {name.rstrip("/") for name in case.issuer.audiences}
    if GRAPH_AUDIENCES.intersection(given):
        return "The token is for Microsoft Graph: the client asked for a scope of Graph's, such as User.Read."
    return next((told for name in given if (told := _form(case, name, wanted))), "") or _other(case, given)


def _form(case: Case, name: str, wanted: set[str]) -> str:
    """What differs, if it is the form alone; slashes at the end are gone already."""
    if name in wanted:
        return "Only the slash at the end differs: audiences compare to the letter, so list this form in audiences, too."
    if name.lower() in {one.lower() for one in wanted}:
        return "Only upper and lower case differ: audiences compare to the letter."
    if name.endswith("/.default"):
        told = "The audience ends in /.default, which belongs to a scope: the client wrote it into resource=."
        return f"{told} Have it ask with scope= at the v2.0 endpoint, or leave /.default out of resource=."
    if f"api://{name}" in wanted:
        told = "The token names the API by its client id, and the policy by its URI (api://...)"
        other = "; version 2.0 tokens hold no other form" if case.entra is not None else ""
        return f"{told}: list the client id in audiences{other}."
    if name.removeprefix("api://") in wanted:
        told = "The token names the API by its URI (api://...), and the policy by its client id: list the URI in audiences"
        return f"{told}{_MANIFEST if _may_be_v2(case, name) else ''}."
    return ""


def _may_be_v2(case: Case, name: str) -> bool:
    """Whether the policy would accept the version 2.0 tokens that another manifest gives; if not, the advice would do harm."""
    if case.entra is None or not GUID.fullmatch(name.removeprefix("api://").lower()):
        return False
    return any(issuer.required_values.get("ver") == "2.0" or _is_v2(issuer.for_tenant(_ANY_TENANT)) for issuer in case.issuers)


def _is_v2(name: str) -> bool:
    named = entra_issuer(name)
    return named is not None and named.version == "2.0"


def _other(case: Case, given: list[str]) -> str:
    if any(name in (case.claims.get("appid"), case.claims.get("azp")) for name in given):
        return "The audience is the calling application itself: the client asked for a token for itself, or sends its ID token."
    if case.meant is not None and (named := resource_of(case.claims)):
        return f"The token is for {named}: the client asked for a scope of {named}'s."
    if case.entra is not None and case.header.nonce:
        return "The token is for one of Microsoft's own services: the client asked for a scope of that service's."
    if case.meant is not None and any(GUID.fullmatch(name.lower()) for name in given):
        return "The token is for another application: have the client ask for this API, and not for another one."
    if case.meant is None and all(GUID.fullmatch(name.lower()) for name in case.issuer.audiences):
        return _ACCOUNT
    told = "Add the audience to the policy's audiences if it is this service's name"
    return f"{told} (in a Databricks federation policy: audiences), or have the client ask for this service."
