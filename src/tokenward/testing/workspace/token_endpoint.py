"""`/oidc/v1/token` and `/oidc/accounts/<id>/v1/token`: a federated JWT for a Databricks token (RFC 8693).

Source of the rules: docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-exchange. With `client_id` the token becomes the
service principal's of that application id, without it the user's (or service principal's) whom the subject claim names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tokenward.testing.workspace.federation import Federated, Federation, NotFederated
from tokenward.testing.workspace.issuing import Mint
from tokenward.testing.workspace.messages import Object, Refused, Reply, Request, json_reply
from tokenward.testing.workspace.people import Directory, Principal
from tokenward.testing.workspace.shapes import ErrorKeys, not_provisioned, token_error

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TOKEN_TYPE = "urn:ietf:params:oauth:token-type:jwt"  # noqa: S105  # a name, not a secret
MAX_FORM_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange that was asked for. `reason` says why it was refused, and is empty if it was not; no token is kept."""

    subject: str
    client_id: str | None
    scope: str
    account: bool
    reason: str = ""


class TokenEndpoint:
    """Exchanges tokens, and remembers what it was asked.

    error_keys  which names its errors have
    """

    def __init__(self, federation: Federation, directory: Directory, mint: Mint, clock: Callable[[], float]) -> None:
        self._federation = federation
        self._directory = directory
        self._mint = mint
        self._clock = clock
        self.error_keys: ErrorKeys = "error"
        self.exchanges: list[Exchange] = []

    def exchange(self, request: Request, *, account: bool = False) -> Reply:
        """Answer a request to either endpoint."""
        form = self._form(request)
        client_id, scope = form.get("client_id") or None, form.get("scope") or "all-apis"
        try:
            principal, federated = self._judged(form["subject_token"], client_id)
        except Refused as refusal:
            self._note(client_id, scope, account=account, reason=f"HTTP {refusal.reply.status}")
            raise
        except NotFederated as refusal:
            self._note(client_id, scope, account=account, reason=refusal.reason)
            return self._error(400, "invalid_grant", str(refusal))
        self._note(client_id, scope, account=account, subject=principal.name)
        return self._granted(principal, federated, scope, account=account)

    def _granted(self, principal: Principal, federated: Federated, scope: str, *, account: bool) -> Reply:
        """It expires when the subject's token does; nothing renews it."""
        body: Object = {
            "access_token": self._mint.token(principal, scope, federated.expires_at, account=account),
            "scope": scope,
            "token_type": "Bearer",
            "expires_in": int(federated.expires_at) - int(self._clock()),
        }
        return json_reply(200, body, cache_control="no-store")

    def _judged(self, token: str, client_id: str | None) -> tuple[Principal, Federated]:
        if client_id is None:
            federated = self._federation.judge(token, None)
            principal = self._directory.find(federated.subject)
            if principal is None or not principal.active:
                raise Refused(not_provisioned())
            return principal, federated
        principal = self._directory.find(client_id, "service_principal")
        if principal is None:
            raise Refused(self._error(400, "invalid_request", "Invalid service principal id"))
        return principal, self._federation.judge(token, principal.id)

    def _form(self, request: Request) -> dict[str, str]:
        """The form's fields, if they ask for an exchange. Raises Refused."""
        if not request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
            raise self._refused("invalid_request", "The request is not application/x-www-form-urlencoded")
        pairs = parse_qsl(request.content(MAX_FORM_BYTES).decode("utf-8", "replace"), keep_blank_values=True)
        form = dict(pairs)
        if len(form) != len(pairs):
            raise self._refused("invalid_request", "A parameter is repeated")
        if form.get("grant_type") != GRANT:
            raise self._refused("unsupported_grant_type", "The grant type is not supported")
        if form.get("subject_token_type") != TOKEN_TYPE or not form.get("subject_token"):
            raise self._refused("invalid_request", "subject_token or its type is missing, or the type is not supported")
        return form

    def _refused(self, error: str, text: str) -> Refused:
        return Refused(self._error(400, error, text))

    def _error(self, status: int, error: str, text: str) -> Reply:
        return token_error(status, error, text, self.error_keys)

    def _note(self, client_id: str | None, scope: str, *, account: bool, subject: str = "", reason: str = "") -> None:
        self.exchanges.append(Exchange(subject, client_id, scope, account, reason))
