"""What to change, and where, for a check that fails. No fix quotes a claim of the token: the table beside it shows them.

For a check without words of its own it is the middleware's hint, so a new row of the tables needs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tokenward.errors import AuthenticationError
from tokenward.identity import KINDS
from tokenward.judging.source import source_of
from tokenward.token.algorithms import ALGORITHMS
from tokenward.troubleshoot.explanation import audience_advice, issuer_advice, sources
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.clocks import looks_like_milliseconds

Advice = tuple[str, str]
"""The fix and its source; either may be empty."""
Fix = Callable[[Case, AuthenticationError], Advice]


def advice_for(row: str, case: Case, rejection: AuthenticationError) -> Advice:
    """What to do about a failing check."""
    if row in _SAID:
        in_milliseconds = looks_like_milliseconds(case.claims.get(row))
        return (_MILLISECONDS if in_milliseconds else _SAID[row]), source_of("dates" if in_milliseconds else row)
    if rejection.claim in _OF_VERSION and case.nearest is not None and case.nearest.why and case.entra is not None:
        return "It follows from the issuer's version; see the check of the issuer.", sources.CLAIMS_REFERENCE
    own = _FIXES.get(row)
    fix, source = own(case, rejection) if own is not None else ("", source_of(row))
    return (fix or rejection.hint), source


# -- the header --------------------------------------------------------------------------------------------------------


def _nonce(case: Case, rejection: AuthenticationError) -> Advice:
    return f"{rejection.hint}{_ask(case)}", sources.ACCESS_TOKENS


def _algorithm(case: Case, rejection: AuthenticationError) -> Advice:
    if case.header.alg not in ALGORITHMS:
        return rejection.hint, "RFC 8725 section 2.1"
    listed = " or ".join(case.issuer.algorithms)
    return (
        f"Have the issuer sign with {listed}, or list its algorithm in the policy's algorithms if it really uses it. "
        "For a Databricks federation policy, RS256 and ES256 are the only ones."
    ), source_of("algorithm")


# -- the claims --------------------------------------------------------------------------------------------------------


def _access_token(case: Case, _: AuthenticationError) -> Advice:
    fix = "Have the client send its access token and not its ID or refresh token"
    if case.meant is not None:
        return f"{fix}.{_ask(case)}", sources.ACCESS_TOKENS
    return (
        f"{fix}; if this issuer marks access tokens so, leave the mark out of the policy's id_token_marks.",
        source_of("access token"),
    )


def _dates(_: Case, rejection: AuthenticationError) -> Advice:
    if rejection.code != "claim_malformed":
        return rejection.hint, source_of("dates")
    fix = f"{rejection.claim}: the issuer writes it so; ask it to send a NumericDate, a number without quotation marks"
    return f"{fix} (RFC 7519 section 2).", source_of("dates")


def _required(case: Case, rejection: AuthenticationError) -> Advice:
    if case.entra is not None and rejection.claim in ("azp", "appid"):
        return f"{rejection.hint}{_ask(case)}", sources.CLAIMS_REFERENCE
    if case.entra is not None and rejection.claim not in ("exp", None):
        return f"{rejection.hint} In Entra: app registration of the API, Token configuration.", sources.OPTIONAL_CLAIMS
    return rejection.hint, source_of("required")


def _ask(case: Case) -> str:
    return f" Ask for the scope {case.scope}." if case.scope else ""


def _values(_: Case, rejection: AuthenticationError) -> Advice:
    if rejection.claim == "ver":
        return rejection.hint, sources.CLAIMS_REFERENCE
    fix = f"The claim {rejection.claim} must be what the policy demands (a Databricks federation policy's subject): "
    return f"{fix}change it there, or send the token of the caller that is meant. Every character counts.", sources.FEDERATION


# -- the caller --------------------------------------------------------------------------------------------------------


def _kind(case: Case, rejection: AuthenticationError) -> Advice:
    if rejection.actual == "unknown":
        fix = "The token grants nothing: have a user's client ask for a scope, or assign the application a role of the API"
        return f"{fix} (Enterprise applications, the API, Users and groups).{_ask(case)}", sources.CLAIMS_VALIDATION
    allow = f"allow '{rejection.actual}'" if rejection.actual in KINDS else "allow its kind"
    return f"The policy's kinds exclude this caller; {allow} there if it should call.", sources.CLAIMS_VALIDATION


def _client(_: Case, rejection: AuthenticationError) -> Advice:
    return f"{rejection.hint} Its id is in the claim azp (version 2.0) or appid (1.0).", sources.CLAIMS_VALIDATION


def _guest(_: Case, rejection: AuthenticationError) -> Advice:
    return f"{rejection.hint} In Entra: Users, the user, Properties, User type.", sources.OPTIONAL_CLAIMS


def _scopes(case: Case, rejection: AuthenticationError) -> Advice:
    where = " In Entra: the API's Expose an API, then the client's API permissions and Grant admin consent." if case.entra else ""
    return f"{rejection.hint}{where}", sources.SCOPES if case.entra else source_of("scopes")


def _roles(case: Case, rejection: AuthenticationError) -> Advice:
    where = " In Entra: the API's App roles, then Enterprise applications, the API, Users and groups." if case.entra else ""
    return f"{rejection.hint}{where}", sources.ROLES if case.entra else source_of("roles")


_OF_VERSION = frozenset({"ver", "appid", "azp"})
"""Claims whose name or value is the version's."""
_FIXES: Mapping[str, Fix] = MappingProxyType(
    {
        "nonce": _nonce,
        "issuer": issuer_advice.advice,
        "algorithm": _algorithm,
        "access token": _access_token,
        "dates": _dates,
        "required": _required,
        "audience": audience_advice.advice,
        "values": _values,
        "kind": _kind,
        "client": _client,
        "guest": _guest,
        "scopes": _scopes,
        "roles": _roles,
    }
)
_BEGIN = (
    "Synchronise this machine's clock and the issuer's. If they still differ by a few seconds, the policy's leeway can allow for "
    "them; Databricks itself allows for none."
)
_MILLISECONDS = "It looks like milliseconds since 1970. Ask the issuer to send seconds."
_SAID: Mapping[str, str] = MappingProxyType(
    {
        "exp": "Have the client get a new token; if new ones look expired too, synchronise this machine's clock.",
        "nbf": _BEGIN,
        "iat": _BEGIN,
    }
)
"""The same for every token."""
