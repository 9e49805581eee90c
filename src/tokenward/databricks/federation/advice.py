"""What to change when a federation policy refuses a token, and what matters although it does not.

These texts may hold claims of the token: they are for its owner, and not for a log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tokenward.databricks.access import MARGIN, REFUSED_AT
from tokenward.databricks.federation.federation_policy import FederationPolicy
from tokenward.databricks.federation.sight import Case
from tokenward.errors import AuthenticationError
from tokenward.judging.source import source_of

MAX_QUOTED = 500
"""Characters of a claim in a text."""

_USERNAME = re.compile(r"[^@\s]+@[^@\s]+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOKEN_ENDPOINT = re.compile(r"https://[^/]+/oidc/(accounts/[^/]+/)?v1/token")

_POLICY_PAGE = "https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-policy"
_OF_A_STANDARD = frozenset({"type", "exp", "nbf", "iat"})

Fix = Callable[[Case], str]


# -- fixes -------------------------------------------------------------------------------------------------------------


def fix_for(row: str, case: Case, rejection: AuthenticationError | None) -> str:
    """What to change, in the policy or at the identity provider; for a check without words of its own, the general hint."""
    if row in _FIXES:
        return _FIXES[row](case)
    if row == "signature":
        return _signature(case, rejection)
    return rejection.hint if rejection is not None else ""


def source_for(row: str) -> str:
    """Who says that a check must hold: Databricks where a federation policy sets it, else the standard."""
    return _POLICY_PAGE if row in _FIXES and row not in _OF_A_STANDARD else source_of(row)


def _issuer(case: Case) -> str:
    seen = case.claims.get("iss")
    if not isinstance(seen, str):
        return f"Have the identity provider send iss {_quoted(case.policy.issuer)}, as a string."
    slash = " They differ only in the slash at the end." if seen.rstrip("/") == case.policy.issuer.rstrip("/") else ""
    ask = f"or send a token of {_quoted(case.policy.issuer)}"
    return f"In the federation policy, set issuer to {_quoted(seen)} if you trust it, {ask}.{slash}"


def _algorithm(case: Case) -> str:
    algorithms = " or ".join(case.policy.to_issuer().algorithms)
    return f"Have the identity provider sign with {algorithms}: Databricks takes no other, and no policy can change that."


def _type(case: Case) -> str:
    types = ", ".join(name or "none at all" for name in sorted(case.policy.to_issuer().type_set))
    return f"Send a token whose typ is {types}. Databricks documents no such rule; this one is tokenward's."


def _audience(case: Case) -> str:
    wanted = f"ask your identity provider for aud {_quoted(case.policy.audiences[0])}"
    seen = _texts(case.claims.get("aud"))
    if not seen:
        return f"The token has no aud that is a string or a list of strings; {wanted}."
    fix = f"In the federation policy, set audiences to {_quoted(seen)}, or {wanted}."
    return f"{fix}{_default_audience(case.policy, seen)}"


def _default_audience(policy: FederationPolicy, seen: Sequence[str]) -> str:
    """The classic mismatch: the policy's default is not what Databricks' own SDK asks an identity provider for."""
    is_endpoint = any(_TOKEN_ENDPOINT.fullmatch(name) for name in seen)
    if policy.has_default_audience and is_endpoint:
        said = "The policy leaves audiences out, which means the account id; databricks-sdk asks for the token endpoint's address"
        return f" {said} unless its token_audience is set."
    if policy.has_default_audience:
        return " The policy leaves audiences out, which means the account id."
    if policy.account_id in seen:
        return " The token is for the account id, which is the default of policies without audiences; this one has its own."
    return ""


def _subject(case: Case) -> str:
    claim, seen = case.policy.subject_claim, case.claims.get(case.policy.subject_claim)
    run = f"send the token of the workload whose {claim} is {_quoted(case.policy.subject)}"
    if not isinstance(seen, str):
        return f"The token has no {claim}; {run}."
    return f"In the federation policy, set subject to {_quoted(seen)} if this workload may act, or {run}. Every character counts."


def _required(case: Case) -> str:
    if case.claims.get("exp") is None:
        return "Have the identity provider send exp; a token without an end is never accepted."
    claim = case.policy.subject_claim
    return f"Have the identity provider send {claim}, or set subject_claim in the federation policy to a claim that it sends."


def _clock(case: Case) -> str:  # noqa: ARG001  # every fix has the same argument
    return "Wait, or synchronise the clocks: the token begins in the future."


_FIXES: Mapping[str, Fix] = MappingProxyType(
    {
        "asymmetric": _algorithm,
        "issuer": _issuer,
        "algorithm": _algorithm,
        "type": _type,
        "audience": _audience,
        "values": _subject,
        "required": _required,
        "exp": lambda _: "Get a new token from the identity provider: the exchanged one would end with it.",
        "nbf": _clock,
        "iat": _clock,
    }
)


def _signature(case: Case, rejection: AuthenticationError | None) -> str:
    if rejection is None:
        return "Pass a verifier that believes this policy, such as Verifier(policy_of(policies)), to have the signature checked."
    if case.policy.jwks_json is not None and rejection.code == "unknown_key":
        return "The keys in jwks_json are not the token's: renew them, or leave jwks_json out, and Databricks fetches them."
    return rejection.hint


# -- notes -------------------------------------------------------------------------------------------------------------


def notes_for(case: Case, client_id: str | None) -> tuple[str, ...]:
    """What to know of a policy and a token beside the checks."""
    notes = (_client(case.policy, client_id), _principal(case), _life(case), _unknown(case.policy))
    return tuple(note for note in notes if note)


def notes_on_matches(matches: Sequence[FederationPolicy], client_id: str | None) -> tuple[str, ...]:
    """Which policy Databricks will use, where several match."""
    if len(matches) < 2:
        return ()
    if client_id is not None:
        which = "one of the service principal that client_id names; whichever it is, the result is that service principal"
        return (f"Several policies match. Databricks uses {which}.",)
    if len({policy.subject_claim for policy in matches}) == 1:
        return ("Several account-wide policies match; whichever Databricks uses, the user is the same.",)
    claims = ", ".join(sorted({policy.subject_claim for policy in matches}))
    which = "Databricks does not document which one it uses, and so which user results; leave one of them"
    return (f"Several account-wide policies match, and take the user from different claims ({claims}). {which}.",)


def _client(policy: FederationPolicy, client_id: str | None) -> str:
    """`client_id` selects the identity: docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-exchange."""
    if policy.is_account_wide:
        done = (
            "Without client_id Databricks takes the account-wide policies, and the token becomes the user that its subject names."
        )
        skipped = (
            "Databricks does not look at this account-wide policy, because client_id is sent; leave it out to act as the user."
        )
        return done if client_id is None else skipped
    if client_id is None:
        skipped = "Databricks does not look at this service principal's policy, because no client_id is sent"
        return f"{skipped}; send the service principal's application id (a UUID) as client_id to act as it."
    number = policy.service_principal_id
    whose = "the service principal whose policy this is" if number is None else f"the service principal with the id {number}"
    return (
        f"It counts only if client_id is the application id (a UUID) of {whose}; the token then becomes that service principal."
    )


def _principal(case: Case) -> str:
    """An account-wide policy leads to the user whose name the subject is, if there is one."""
    claim, seen = case.policy.subject_claim, case.claims.get(case.policy.subject_claim)
    if not case.policy.is_account_wide or not isinstance(seen, str):
        return ""
    found = f"Databricks looks for a user or service principal of the account with the username {_quoted(seen)} (from {claim})"
    if _USERNAME.fullmatch(seen):
        return f"{found}; it must exist already."
    others = [
        name for name, value in case.claims.items() if isinstance(value, str) and _USERNAME.fullmatch(value) and "@" in value
    ]
    remedy = f"; a claim that looks like one: {', '.join(sorted(others))}. Set subject_claim to it" if others else ""
    return f"{found}, which looks neither like an e-mail address nor like an application id{remedy}."


def _life(case: Case) -> str:
    """The exchanged token ends with the token that was given for it (the same page)."""
    ends = case.claims.get("exp")
    left = ends - case.now if isinstance(ends, (int, float)) and not isinstance(ends, bool) else 0
    if not 0 < left <= MARGIN:
        return ""
    if left <= REFUSED_AT:
        return (
            f"It ends in {left:.0f} s, and so would the exchanged one; Databricks refuses tokens with {REFUSED_AT:.0f} s or less."
        )
    return f"It ends in {left:.0f} s, and so would the exchanged one; clients renew tokens {MARGIN:.0f} s before their end."


def _unknown(policy: FederationPolicy) -> str:
    names = ", ".join(policy.unknown_fields)
    return f"The policy has fields that this version does not know, and so did not judge: {names}." if names else ""


def _texts(audience: object) -> list[str]:
    listed = audience if isinstance(audience, list) else [audience]
    return [name for name in listed if isinstance(name, str) and name]


def _quoted(value: object) -> str:
    """As JSON writes it, with everything outside ASCII escaped, so that a terminal shows what is there."""
    text = json.dumps(value)
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."
