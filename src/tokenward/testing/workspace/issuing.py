"""The tokens that the stand-in issues: signed `at+jwt`s of the shape that was recorded of Databricks' own.

Recorded (of a user's login): `typ` at+jwt, RS256, a `kid` of 64 hex digits; `client_id`, `scope`, `iss` https://<host>/oidc,
`aud` the workspace id, `sub` the user name, `iat`, `exp`, `jti`, and no `nbf`. That exchanged tokens and those of an account look
the same is assumed. An exchanged token names a service principal as its client, and for a user none.
"""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Callable

from tokenward.issuer import Issuer
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.policy import Policy
from tokenward.testing.keys import JWKS, SigningKey
from tokenward.testing.tokens import compact
from tokenward.testing.workspace.messages import Object
from tokenward.testing.workspace.people import Principal
from tokenward.verifier import Verifier


class Mint:
    """Signs the tokens of one workspace and its account, and knows them again.

    origin  tells where the workspace is now, because that is in `iss`
    """

    def __init__(
        self,
        workspace_id: str,
        account_id: str,
        origin: Callable[[], str],
        clock: Callable[[], float],
        new_key: Callable[[], SigningKey],
    ) -> None:
        self._workspace_id = workspace_id
        self._account_id = account_id
        self._origin = origin
        self._clock = clock
        self._new_key = new_key
        self._key: SigningKey | None = None
        self._lock = threading.Lock()
        self._verifiers: dict[tuple[str, str], Verifier] = {}

    @property
    def key(self) -> SigningKey:
        with self._lock:
            if self._key is None:
                self._key = self._new_key().renamed(secrets.token_hex(32), alg="RS256")
            return self._key

    def rotate(self) -> None:
        """A new key; tokens of the old one are not known any more."""
        with self._lock:
            self._key = None

    def jwks(self) -> JWKS:
        return {"keys": [self.key.jwk()]}

    def issuer(self, *, account: bool = False) -> str:
        return f"{self._origin()}/oidc/accounts/{self._account_id}" if account else f"{self._origin()}/oidc"

    def token(self, principal: Principal, scope: str, expires_at: float, *, account: bool = False) -> str:
        """A token of this principal until that time."""
        client = {"client_id": principal.name} if principal.kind == "service_principal" else {}
        claims: Object = {
            **client,
            "scope": scope,
            "iss": self.issuer(account=account),
            "aud": self._account_id if account else self._workspace_id,
            "sub": principal.name,
            "iat": int(self._clock()),
            "exp": int(expires_at),
            "jti": str(uuid.uuid4()),
        }
        key = self.key
        return compact({"kid": key.kid, "typ": "at+jwt", "alg": "RS256"}, claims, key, "RS256")

    def verifier(self) -> Verifier:
        """Of the workspace's own tokens. It asks nobody for keys."""
        wanted = (self.issuer(), self.key.kid)
        if wanted not in self._verifiers:
            own = Issuer(
                self.issuer(),
                audiences=[self._workspace_id],
                jwks=dict(self.jwks()),
                token_types=["at+jwt"],
            )
            self._verifiers = {wanted: Verifier(Policy([own]), clock=self._clock, fetch=_nobody, observer=None)}
        return self._verifiers[wanted]


def _nobody(_: FetchRequest) -> FetchResponse:
    raise FetchFailed("other", "the keys are here")
