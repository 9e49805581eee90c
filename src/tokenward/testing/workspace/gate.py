"""Who calls an API: the bearer of a token that this workspace issued, or of an Entra token for AzureDatabricks.

Recorded answers are in `shapes`. Databricks allows no clock skew, and refuses what has 30 seconds or less to live.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tokenward import entra
from tokenward.errors import AuthenticationError, TokenRejected
from tokenward.identity import Identity
from tokenward.issuer import Issuer
from tokenward.policy import Policy
from tokenward.testing.issuer import LocalIssuer
from tokenward.testing.workspace import shapes
from tokenward.testing.workspace.federation import EAGER
from tokenward.testing.workspace.issuing import Mint
from tokenward.testing.workspace.messages import Refused, Reply, Request
from tokenward.testing.workspace.people import Directory, Principal
from tokenward.token.compact import Opener
from tokenward.verifier import Verifier

LEAST_LIFE = 30.0
"""Seconds (databricks-sdk-py oauth.py: "rejects tokens that expire in 30 seconds or less")."""
MANAGEMENT = "https://management.core.windows.net/"
"""The audience of a token for Azure's management, in the public cloud."""
MANAGEMENT_TOKEN = "x-databricks-azure-sp-management-token"  # noqa: S105  # a name, not a secret
RESOURCE_ID = "x-databricks-azure-workspace-resource-id"

WARM_UP = 2.0
"""Seconds; the issuer is in this process, and one that is made to fail is not waited for."""

ExpiredStatus: TypeAlias = Literal[401, 400, 403]


@dataclass(slots=True)
class Gate:
    """Finds the principal behind a request.

    entra_issuer    whose AzureDatabricks tokens are believed; None believes none
    resource_id     the workspace's resource in Azure
    contributors    `oid`s of those who may change that resource: with both Azure headers they become administrators
    expired_status  how an expired Entra token is answered; the answer has changed over the years
    """

    directory: Directory
    mint: Mint
    clock: Callable[[], float]
    entra_issuer: LocalIssuer | None
    resource_id: str
    contributors: set[str] = field(default_factory=set)
    expired_status: ExpiredStatus = 401
    _verifiers: dict[str, Verifier] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def caller(self, request: Request) -> Principal:
        """Who calls. Raises Refused with what Databricks would answer."""
        token = _bearer(request)
        issuer, expires = _look(token)
        is_own = issuer == self.mint.issuer() or self.entra_issuer is None
        principal = self._own(token) if is_own else self._of_entra(token, request)
        if not principal.in_workspace or not principal.active:
            raise Refused(shapes.not_authorized())
        if expires - self.clock() <= LEAST_LIFE:
            raise Refused(shapes.expiring())
        return principal

    def _own(self, token: str) -> Principal:
        try:
            identity = self.mint.verifier().verify(token)
        except AuthenticationError:
            raise Refused(shapes.invalid_token()) from None
        principal = self.directory.find(identity.subject)
        if principal is None:
            raise Refused(shapes.not_authorized())
        return principal

    def _of_entra(self, token: str, request: Request) -> Principal:
        issuer = self._issuer()
        identity = self._verified("user", entra.databricks(issuer.tenant, cloud=issuer.cloud), token)
        principal = self._named(identity)
        if self._is_contributor(identity, request):
            return self.directory.admit(principal or self._newcomer(identity))
        if principal is None:
            raise Refused(shapes.not_authorized())
        return principal

    def _named(self, identity: Identity) -> Principal | None:
        """A user by `unique_name`, as Databricks documents; an application by its id."""
        name = identity.claims.get("unique_name")
        return self.directory.find(name, "user") if name else self.directory.find(identity.client_id, "service_principal")

    def _newcomer(self, identity: Identity) -> Principal:
        name = identity.claims.get("unique_name")
        if isinstance(name, str):
            return self.directory.add_user(name)
        return self.directory.add_service_principal(str(identity.client_id))

    def _is_contributor(self, identity: Identity, request: Request) -> bool:
        """Both Azure headers, the second a genuine token of the same caller, who may change the resource."""
        if request.headers.get(RESOURCE_ID) != self.resource_id or MANAGEMENT_TOKEN not in request.headers:
            return False
        manager = self._verified("management", self._management_policy(), request.headers[MANAGEMENT_TOKEN])
        oid = manager.claims.get("oid")
        return oid == identity.claims.get("oid") and oid in self.contributors

    def _verified(self, name: str, policy: Policy, token: str) -> Identity:
        try:
            return self._verifier(name, policy).verify(token)
        except TokenRejected as rejection:
            raise Refused(self._answer(rejection)) from None
        except AuthenticationError:
            raise Refused(shapes.api_error(503, "TEMPORARILY_UNAVAILABLE", "The service is temporarily unavailable.")) from None

    def _verifier(self, name: str, policy: Policy) -> Verifier:
        """The first callers wait here for its keys: a verifier lets no more than a few of them wait, and refuses the others."""
        issuer = self._issuer()
        with self._making:
            if name not in self._verifiers:
                verifier = Verifier(policy, clock=self.clock, fetch=issuer.fetch, rhythm=EAGER, observer=None)
                verifier.warm_up(WARM_UP)
                self._verifiers[name] = verifier
            return self._verifiers[name]

    def _answer(self, rejection: TokenRejected) -> Reply:
        if rejection.code == "audience_not_accepted":
            return shapes.wrong_audience(entra.DATABRICKS_RESOURCE, str(rejection.actual))
        return shapes.expired(self.expired_status) if rejection.code == "token_expired" else shapes.invalid_token()

    def _management_policy(self) -> Policy:
        issuer = self._issuer()
        return Policy(
            [
                Issuer(
                    issuer.cloud.v1_issuer,
                    audiences=[MANAGEMENT],
                    tenants=[issuer.tenant],
                    discovery_url=f"{issuer.cloud.authority}/{issuer.tenant}/.well-known/openid-configuration",
                )
            ]
        )

    def _issuer(self) -> LocalIssuer:
        if self.entra_issuer is None:
            raise Refused(shapes.invalid_token())
        return self.entra_issuer


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(shapes.no_credentials())
    return token.strip()


def _look(token: str) -> tuple[str, float]:
    """Issuer and expiry, not verified: they only say which way to verify."""
    try:
        claims = _OPENER.open(token.encode("ascii", "replace")).claims
    except TokenRejected:
        raise Refused(shapes.invalid_token()) from None
    expires = claims.get("exp")
    return str(claims.get("iss")), float(expires) if isinstance(expires, (int, float)) else 0.0


_OPENER = Opener()
