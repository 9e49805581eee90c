"""Databricks' token exchange: a federated JWT for a Databricks OAuth token (RFC 8693).

Source: docs.databricks.com/dev-tools/auth/oauth-federation-exchange
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from tokenward import validation
from tokenward.acquisition.catalogue import entries
from tokenward.acquisition.diagnose import diagnose
from tokenward.acquisition.diagnosis import Diagnosis, of_code
from tokenward.asking.steps import Answered, RetryBudget, Steps, with_retries
from tokenward.databricks.access import ALGORITHMS, REFUSED_AT, AccessToken, Subject
from tokenward.databricks.answers import TEMPORARY_ERRORS, access_token, form_request, members_of, read_granted
from tokenward.databricks.grant import key_of, unavailable
from tokenward.databricks.hosts import workspace_origin
from tokenward.errors import ExchangeRefused, PolicyError, TokenExpired
from tokenward.keys.port import FetchFailed
from tokenward.redaction import shown

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:jwt"  # noqa: S105  # the name of a type

_SCOPES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # RFC 6749 section 3.3


@dataclass(frozen=True, slots=True)
class Exchange:
    """The token endpoint of a workspace or an account, and as whom its tokens act.

    host        of the workspace, as a name or an https URL without a path; of the account, if `account_id` is given
    client_id   the service principal, for a service principal's federation policy. It decides whose rights the token has:
                without it, those of the user whom the caller's token names
    scope       what the token may be used for, space separated
    account_id  exchange at the account instead: tokens for account APIs

    Raises PolicyError. Whether the host is a Databricks host at all is not looked at.
    """

    host: str
    client_id: str | None = field(default=None, kw_only=True)
    scope: str = field(default="all-apis", kw_only=True)
    account_id: str | None = field(default=None, kw_only=True)
    url: str = field(init=False, repr=False)
    _budget: RetryBudget = field(default_factory=RetryBudget, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        origin = workspace_origin("host", self.host)
        account, client, scope = _account(self.account_id, origin), _client(self.client_id), _scope(self.scope)
        path = "/oidc/v1/token" if account is None else f"/oidc/accounts/{account}/v1/token"
        judged = {"host": urlsplit(origin).netloc, "client_id": client, "scope": scope, "account_id": account}
        for name, value in (judged | {"url": origin + path}).items():
            object.__setattr__(self, name, value)  # frozen for everybody else

    @property
    def name(self) -> str:
        """For logs."""
        return f"exchange at {self.host}"

    def key(self, subject: Subject) -> bytes:
        """Everything that the token depends on."""
        return key_of("exchange", self.url, self.client_id, self.scope, subject.token)

    def steps(self, subject: Subject, now: float) -> Steps[AccessToken]:
        """Ask for the token. Raises ExchangeRefused, ExchangeUnavailable or TokenExpired."""
        if subject.algorithm not in ALGORITHMS:
            reason = "Databricks exchanges only tokens signed with RS256 or ES256"
            raise subject.noted_on(ExchangeRefused(reason, claim="alg", expected=list(ALGORITHMS), actual=subject.algorithm))
        if not now + REFUSED_AT < subject.expires_at:
            reason = "exp has passed, or is so near that Databricks refuses the token, and what it would be exchanged for"
            expected = f"after {now + REFUSED_AT:.0f}"
            raise subject.noted_on(TokenExpired(reason, claim="exp", expected=expected, actual=subject.expires_at))
        answer = yield from with_retries(form_request(self.url, self._form(subject)), budget=self._budget)
        return read_answer(answer, subject, now, scope=self.scope)

    def _form(self, subject: Subject) -> dict[str, str]:
        form = {"grant_type": GRANT_TYPE, "subject_token": subject.token, "subject_token_type": SUBJECT_TOKEN_TYPE}
        form["scope"] = self.scope
        return form if self.client_id is None else form | {"client_id": self.client_id}


def read_answer(answer: Answered, subject: Subject, now: float, *, scope: str) -> AccessToken:
    """The token that the endpoint gave. Raises ExchangeRefused or ExchangeUnavailable."""
    if isinstance(answer, FetchFailed) or answer.status != 200:
        raise _no_token(answer, subject)
    try:
        granted = read_granted(answer)
        return access_token(granted, subject, now, scope=scope, source="exchange")
    except ValueError as exc:
        raise unavailable(answer, str(exc)) from None


# -- refusals ----------------------------------------------------------------------------------------------------------

_UNKNOWN = "Databricks refused the token"
_NO_POLICY = "databricks_token_invalid"
"""The entry whose advice is the likeliest where the catalogue does not know the text."""
_SILENT = "databricks_unexplained_401"
_REQUEST_ID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
"""Of the header x-request-id, by which Databricks' support finds a request."""
_TEXTS = (("error", "error_description"), ("errorCode", "errorSummary"), ("error_code", "message"))
"""The pairs of members in which Databricks' endpoints tell an error."""
_IMPERSONAL = frozenset({"iss", "aud", "tid", "azp", "appid", "client_id"})
"""Claims that say which issuer, service or application is meant, and not who somebody is."""
REFUSALS = (400, 401, 403)
_THROTTLED = re.compile(r"throttled|too many requests|rate limit", re.IGNORECASE)
"""A text that says nothing of the token, whatever the status."""
_LINE = 190
"""Characters; a log shows 200 of each text."""
_LINES = 6
_MAX_TOLD = 2000


class DatabricksRefused(ExchangeRefused):
    """Databricks gave no token for the caller's. `diagnosis` is what the catalogue knows of its answer."""

    diagnosis: Diagnosis | None = None

    @property
    def upstream(self) -> Mapping[str, object]:
        return {} if self.diagnosis is None else self.diagnosis.log_fields()


def _no_token(answer: Answered, subject: Subject) -> Exception:
    """A verdict on the token is a refusal; everything else says nothing of it, and may pass."""
    if isinstance(answer, FetchFailed):
        return unavailable(answer, "the token endpoint could not be asked")
    members = members_of(answer)
    code, told = _told(members)
    is_verdict = bool(members) or (answer.status == 401 and not answer.body.strip())  # a page in HTML is some proxy's on the way
    if answer.status not in REFUSALS or not is_verdict or code in TEMPORARY_ERRORS or _THROTTLED.search(told):
        return unavailable(answer)
    request_id = _REQUEST_ID.fullmatch(answer.headers.get("x-request-id", ""))
    return _refused(answer.status, code, told, subject, request_id[0] if request_id else None)


def _refused(status: int, code: str, told: str, subject: Subject, request_id: str | None) -> DatabricksRefused:
    found = _diagnosed(code, told)
    reason, hint = (found.entry.name, found.entry.hint) if found and found.entry else (_UNKNOWN, entries()[_NO_POLICY].hint)
    lines = textwrap.wrap(_impersonal(told, subject), _LINE, break_long_words=False, break_on_hyphens=False)
    seen = [f"HTTP {status}", *([_impersonal(code, subject)] if code else []), *lines[:_LINES]]
    seen += [f"request_id={request_id}"] if request_id else []
    error = DatabricksRefused(reason, hint=hint, actual=[shown(line) for line in seen])
    error.diagnosis = None if found is None else replace(found, trace_id=request_id)
    return subject.noted_on(error)


def _diagnosed(code: str, told: str) -> Diagnosis | None:
    """What the catalogue knows of a text of Databricks', which repeats what the token says: other systems' codes do not count."""
    if not told and not code:
        return of_code(_SILENT)
    found = diagnose(f"Databricks: {told}")
    return next((each for each in found if each.entry is not None and each.entry.kind == "databricks"), None)


def _told(members: Mapping[str, object]) -> tuple[str, str]:
    """The error's code and its text, in whichever pair of members they are."""
    for names in _TEXTS:
        code, text = (members.get(name) for name in names)
        if code is not None or text is not None:
            return str(code)[:_LINE] if isinstance(code, (str, int)) else "", text[:_MAX_TOLD] if isinstance(text, str) else ""
    return "", ""


def _impersonal(text: str, subject: Subject) -> str:
    """Databricks repeats the token's subject, which says who somebody is, and belongs in no log."""
    named = {value: name for name, value in subject.claims.items() if isinstance(value, str) and len(value) > 2}
    for name in _IMPERSONAL & subject.claims.keys():
        named.pop(str(subject.claims[name]), None)
    text = text.replace(subject.token, "<token>")
    for value in sorted(named, key=len, reverse=True):
        text = re.sub(re.escape(value), f"<{named[value]}>", text, flags=re.IGNORECASE)
    return text


# -- configuration -----------------------------------------------------------------------------------------------------


def _account(account_id: object, origin: str) -> str | None:
    if account_id is not None:
        return validation.guid("account_id", account_id, "Copy the account ID from the account console.")
    if urlsplit(origin).netloc.startswith("accounts."):
        raise PolicyError("account_id", "it is missing, and the host is an account's", "Give account_id, or a workspace's host.")
    return None


def _client(client_id: object) -> str | None:
    if client_id is None:
        return None
    return validation.guid("client_id", client_id, "Give the service principal's application ID, or leave it out for users.")


def _scope(scope: object) -> str:
    text = validation.text("scope", scope, "'all-apis'")
    if not _SCOPES.fullmatch(text):
        raise PolicyError("scope", "it is not a list of scopes with single spaces", "Write it like 'all-apis' or 'sql files'.")
    return text
