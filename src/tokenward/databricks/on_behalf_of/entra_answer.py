"""An answer of Entra's token endpoint -> an access token, or the verdict: who has to do something about it.

    the user        invalid_grant, interaction_required, ...   401: ClaimsChallenge if Entra said what is needed and the client
                                                               can use that, else ExchangeRefused
    this service    invalid_client, invalid_scope, ...         503: nothing is known against the caller
    nobody; later   429, 5xx, temporarily_unavailable          503 with Retry-After

Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow and /claims-challenge.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import NoReturn

from tokenward.asking.steps import Answered, retry_after_of
from tokenward.databricks.access import AccessToken, Subject
from tokenward.databricks.answers import TEMPORARY_ERRORS, access_token, members_of, read_granted
from tokenward.databricks.grant import UNAVAILABLE_FOR, unavailable
from tokenward.databricks.on_behalf_of.aadsts import Problem, explain, look_up, read_problem
from tokenward.errors import ClaimsChallenge, ExchangeRefused, ExchangeUnavailable
from tokenward.keys.port import FetchFailed, FetchResponse

CONFIGURATION_FOR = 60.0
"""Seconds after which to ask again when it is this service's registration that must be changed."""

USER_ERRORS = frozenset(
    {"invalid_grant", "interaction_required", "login_required", "consent_required", "account_selection_required", "access_denied"}
)
"""What the user can act on. v1 answers interaction_required where v2 answers invalid_grant with a suberror."""


class _SaidByEntra:
    """An error with what Entra said, if it was asked; `upstream` is what the catalogue says of that."""

    problem: Problem | None = None

    @property
    def upstream(self) -> Mapping[str, object]:
        return {} if self.problem is None else self.problem.diagnosis.log_fields()


class EntraRefused(_SaidByEntra, ExchangeRefused):
    """Entra gave no token on behalf of this caller, or certainly would not have. `problem` is what it said, if it was asked."""


class EntraChallenge(_SaidByEntra, ClaimsChallenge):
    """Entra asks this caller's client for more; `problem` is what it said."""


class EntraUnavailable(_SaidByEntra, ExchangeUnavailable):
    """Entra gives this service no token at the moment, whoever calls; `problem` is what it said."""


def read_answer(answer: Answered, subject: Subject, now: float, *, scope: str) -> AccessToken:
    """The token in an answer to a request that was made at `now` (epoch seconds); `scope` is what was asked for.

    Raises EntraRefused, ClaimsChallenge or ExchangeUnavailable.
    """
    if isinstance(answer, FetchFailed):
        raise unavailable(answer, "the token endpoint could not be asked")
    problem = read_problem(members_of(answer), answer.headers.get("x-ms-request-id"))
    if problem is not None:
        _refuse(problem, answer, subject)
    if answer.status != 200:
        raise unavailable(answer)
    try:
        granted = read_granted(answer)
        return access_token(granted, subject, now, scope=scope, source="on_behalf_of")
    except ValueError as exc:
        raise unavailable(answer, str(exc)) from None


# -- refusals ----------------------------------------------------------------------------------------------------------


def _refuse(problem: Problem, answer: FetchResponse, subject: Subject) -> NoReturn:
    if answer.status == 429 or answer.status >= 500 or problem.error in TEMPORARY_ERRORS:
        wait = max(retry_after_of(answer) or 0.0, UNAVAILABLE_FOR)
        raise _unavailable("Entra cannot answer at the moment", problem, "Entra asks to come back later.", wait)
    if problem.claims is not None and can_handle_claims(subject):
        raise _challenge(problem, problem.claims)
    if problem.claims is not None or problem.error in USER_ERRORS:
        raise _refused(problem)
    advice = "Entra does not accept this service's own registration, credential or request; see the error and its trace id."
    raise _unavailable("Entra does not accept this service", problem, advice, CONFIGURATION_FOR)


def can_handle_claims(subject: Subject) -> bool:
    """Whether the calling application said that it understands claims challenges: `xms_cc` holds cp1, in whatever case."""
    capabilities = subject.claims.get("xms_cc")
    listed = [capabilities] if isinstance(capabilities, str) else capabilities
    return isinstance(listed, list) and any(isinstance(item, str) and item.lower() == "cp1" for item in listed)


def _challenge(problem: Problem, claims: str) -> EntraChallenge:
    """The claims as Entra sent them, for the client to send them back when it signs the user in again."""
    challenge = EntraChallenge("Entra asks the user for more", claims=base64.b64encode(claims.encode()).decode())
    challenge.problem, challenge.actual = problem, problem.shown()
    return challenge


def _unavailable(reason: str, problem: Problem, advice: str, wait: float) -> EntraUnavailable:
    error = EntraUnavailable(reason, hint=_advice(problem, advice), actual=problem.shown(), retry_after=wait)
    error.problem = problem
    return error


def _refused(problem: Problem) -> EntraRefused:
    advice = _advice(problem, _BY_SUBERROR.get(problem.suberror or "", "The user must sign in again at the client."))
    if problem.claims is not None:
        advice += " The client can be told with which claims, once its tokens say that it understands such (xms_cc: cp1)."
    error = EntraRefused("Entra gives no token on behalf of this caller", hint=advice, actual=problem.shown())
    error.problem = problem
    return error


def _advice(problem: Problem, otherwise: str) -> str:
    """What the number says, if it is known here; else what follows from the words, and where the number is explained."""
    if problem.code is None:
        return otherwise
    return explain(problem.code) or f"{otherwise} About its number: {look_up(problem.code)}"


_BY_SUBERROR = {
    "consent_required": "Nobody consented that this service calls Azure Databricks for the user; an admin can.",
    "message_only": "The user cannot resolve this by signing in again; look up the sign-in in Entra's log.",
    "additional_action": "The user must do something outside of the sign-in, such as enrol a device; see Entra's log.",
    "user_password_expired": "The user must change the password, and sign in again at the client.",
}
"""The classes of suberrors that need something else than a new sign-in (UiRequiredExceptionClassification of MSAL)."""
