"""SCIM `Me`: whom a workspace takes the bearer of a token for, and what its many ways of saying no mean.

Sources: docs.databricks.com/api/workspace/currentuser/me; recorded refusals in the fixtures of databricks-jdbc and in issues of
databricks-sdk-go, databricks-vscode, splunk-integration and azure-docs. 400, 401 and 403 have each meant a bad token.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tokenward.asking.steps import Answered, RetryBudget, Steps, with_retries
from tokenward.databricks.answers import ATTEMPT_TIMEOUT, members_of
from tokenward.databricks.grant import unavailable
from tokenward.errors import AuthenticationError, ExchangeRefused, TokenExpired, UserNotInWorkspace
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.redaction import shown

PATH = "/api/2.0/preview/scim/v2/Me?excludedAttributes=entitlements"
"""Entitlements are costly to work out (databricks-sdk-go leaves them out of its own probe, too)."""
MAX_NAME_CHARS = 512

_EXPIRED = re.compile(r"token is expired|token expired|ExpiredJwtException|expiring within", re.IGNORECASE)
_BAD_TOKEN = re.compile(
    r"invalid (?:access )?token|IncorrectClaimException|SignatureException|credential was not sent", re.IGNORECASE
)
_STRANGER = re.compile(r"user not authorized|not (?:a member|found) (?:of|in) (?:this|the) workspace", re.IGNORECASE)
_NAME = re.compile(r"[^\s@'\"<>]+@[^\s@'\"<>]+")  # a user's, which belongs in no log
_PAGE_TEXT = re.compile(r"<(?:pre|title)>(.*?)</(?:pre|title)>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, repr=False)
class User:
    """A principal of the workspace.

    user_name     a user's e-mail address, or the application id of a service principal
    display_name  for people to read; None if there is none
    id            Databricks' own number, as a string
    active        False if the account was deactivated
    org_id        the workspace's id, from the answer's X-Databricks-Org-Id; None if the answer lacked it
    """

    user_name: str
    display_name: str | None
    id: str | None
    active: bool
    org_id: str | None

    def __repr__(self) -> str:
        return f"<User id={self.id} active={self.active} org_id={self.org_id}>"


class UnknownUser(UserNotInWorkspace):
    """The workspace says that it does not know the bearer: what being a contributor of its resource excuses."""


def me_steps(origin: str, authorization: str, budget: RetryBudget | None = None) -> Steps[User]:
    """Ask a workspace who the bearer is.

    Raises UserNotInWorkspace, TokenExpired or ExchangeRefused where the workspace decided, else ExchangeUnavailable.
    """
    fields = {"Accept": "application/json", "Authorization": authorization}
    answer = yield from with_retries(FetchRequest(f"{origin}{PATH}", ATTEMPT_TIMEOUT, fields=fields), budget=budget)
    return read_me(answer, sent=authorization.partition(" ")[2])


def read_me(answer: Answered, *, sent: str) -> User:
    """The principal in an answer. Raises as `me_steps`."""
    if isinstance(answer, FetchFailed):
        raise unavailable(answer, "the workspace could not be asked")
    if answer.status != 200:
        raise _refusal(answer, sent)
    members = members_of(answer)
    user_name, active = members.get("userName"), members.get("active", True)
    if not isinstance(user_name, str) or not 0 < len(user_name) <= MAX_NAME_CHARS or not isinstance(active, bool):
        raise unavailable(answer, "the workspace's answer to SCIM Me names nobody")
    return User(user_name, _text(members, "displayName"), _text(members, "id"), active, answer.headers.get("x-databricks-org-id"))


_HINT = "The token is of another workspace, withdrawn, or not Databricks' own; get a new one for this host."


def _refusal(answer: FetchResponse, sent: str) -> AuthenticationError:
    """What a status and a text mean together. Only what decides is a refusal; what another on the way may have said is none."""
    if 300 <= answer.status < 400:
        return unavailable(answer, _redirected(answer))
    if answer.status not in (400, 401, 403):
        return unavailable(answer, "the workspace gave no usable answer to SCIM Me")
    members = members_of(answer)
    text = _told(answer, members).replace(sent, "<token>")
    seen = [f"HTTP {answer.status}", *([shown(_NAME.sub("<name>", text))] if text else [])]
    if _EXPIRED.search(text):
        return TokenExpired("the workspace says that the token has expired, or is about to", actual=seen)
    if answer.status == 401 or _BAD_TOKEN.search(text):
        return ExchangeRefused("the workspace does not accept the token", hint=_HINT, actual=seen)
    if answer.status == 403 and (members or _STRANGER.search(text)):
        unknown = _STRANGER.search(text) is not None
        return (UnknownUser if unknown else UserNotInWorkspace)("the workspace does not let the bearer in", actual=seen)
    return unavailable(answer, "the workspace gave no usable answer to SCIM Me")


def _redirected(answer: FetchResponse) -> str:
    if "private-link-validation-error" in answer.headers.get("location", ""):
        return "the workspace is reached over private link only, and this is not one"
    return "the workspace sends elsewhere in place of an answer"


def _told(answer: FetchResponse, members: Mapping[str, object]) -> str:
    """The error's own words: of JSON the message, of a page its title and what is set in type."""
    for name in ("message", "detail", "error"):
        text = members.get(name)
        if isinstance(text, str):
            return text[:1000]
    found = _PAGE_TEXT.findall(answer.body[:16384].decode("utf-8", "replace"))
    return html.unescape(" ".join(" ".join(part.split()) for part in found))[:1000]


def _text(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) and len(value) <= MAX_NAME_CHARS else None
