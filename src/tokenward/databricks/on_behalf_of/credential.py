"""What a client credential is: the port by which a grant authenticates this service; `client_auth` has the kinds."""

from __future__ import annotations

from typing import Protocol

from tokenward.errors import PolicyError


class ClientCredential(Protocol):
    """One way to authenticate the client. It may read a small file, and must not wait for a network."""

    @property
    def kind(self) -> str:
        """One word for logs."""
        ...

    def fields(self, endpoint: str, client_id: str, now: float) -> dict[str, str]:
        """The form fields for a request to this token endpoint at this time (epoch seconds). Raises ExchangeUnavailable."""
        ...


def require_credential(value: object) -> ClientCredential:
    """The value, if it can authenticate a client. Raises PolicyError."""
    named, able = getattr(value, "kind", None), getattr(value, "fields", None)
    if isinstance(value, type) or not isinstance(named, str) or not callable(able):
        fix = "Give ClientSecret.from_env(...), ClientCertificate(...) or FederatedCredential(...)."
        raise PolicyError("credential", "it is no client credential", fix)
    return value  # type: ignore[return-value]  # judged by its members, as the protocol has them
