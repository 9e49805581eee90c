"""Under which credentials a caller's request goes on: as it came, one token for all, or one got for the caller's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias

from tokenward.databricks.access import REFUSED_AT, AccessToken, is_bearer
from tokenward.databricks.environment import set_in_environment
from tokenward.databricks.grant import Grant
from tokenward.databricks.tokens import AsyncTokenSource
from tokenward.errors import PolicyError, TokenExpired
from tokenward.identity import Identity

Clock: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True)
class PassThrough:
    """The caller's own token goes on, once it was verified: for tokens that Databricks takes itself.

    A token with 30 seconds or less to live is refused here, as Databricks would refuse it.
    """


@dataclass(frozen=True, slots=True, repr=False)
class Fixed:
    """One token for all callers: whoever passes the policy has its rights, so the policy must say who may.

    token  a Databricks token; a secret, and no repr shows it

    It is neither verified nor renewed. Raises PolicyError.
    """

    token: str

    def __post_init__(self) -> None:
        if not is_bearer(self.token):
            problem = "it is empty, too long, or has characters that no token has"
            raise PolicyError("token", problem, "Give the token alone, without 'Bearer' and without line breaks.")

    @classmethod
    def from_env(cls, name: str) -> Self:
        """The token in an environment variable, read now. Raises PolicyError."""
        fix = "Set it to a Databricks token."
        return cls(set_in_environment("token", name, example="DATABRICKS_TOKEN", fix=fix))

    def __repr__(self) -> str:
        return "<Fixed>"


Credentials: TypeAlias = PassThrough | Fixed | Grant | AsyncTokenSource


class Authorizer(Protocol):
    """Brings the token for a request whose own token was verified. Raises AuthenticationError."""

    async def access_for(self, token: bytes, identity: Identity) -> AccessToken: ...


def authorizer_of(credentials: Credentials, clock: Clock) -> Authorizer:
    """Who does what the credentials say. Raises PolicyError."""
    if isinstance(credentials, PassThrough):
        return _PassingThrough(clock)
    if isinstance(credentials, Fixed):
        return _OneForAll(credentials)
    if isinstance(credentials, AsyncTokenSource):
        return _FromSource(credentials)
    if isinstance(credentials, type) or not callable(getattr(credentials, "steps", None)):
        fix = "Give PassThrough(), Fixed(...), Exchange(...), OnBehalfOf(...), or an AsyncTokenSource of your own."
        raise PolicyError("credentials", "they are of no kind that is known", fix)
    return _FromSource(AsyncTokenSource(credentials, clock=clock))


class _PassingThrough:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def access_for(self, token: bytes, identity: Identity) -> AccessToken:
        if not self._clock() + REFUSED_AT < identity.expires_at:
            raise TokenExpired("exp is so near that Databricks refuses the token", claim="exp", actual=identity.expires_at)
        return AccessToken(token.decode("ascii"), identity.expires_at, " ".join(identity.scopes), "pass_through")


class _OneForAll:
    """What it hands out ends with the caller's token, so that no verdict on the caller outlives it."""

    def __init__(self, fixed: Fixed) -> None:
        self._fixed = fixed

    async def access_for(self, token: bytes, identity: Identity) -> AccessToken:  # noqa: ARG002  # one token for all
        return AccessToken(self._fixed.token, identity.expires_at, "", "fixed")


class _FromSource:
    def __init__(self, source: AsyncTokenSource) -> None:
        self._source = source

    async def access_for(self, token: bytes, identity: Identity) -> AccessToken:  # noqa: ARG002  # the token says it all
        return await self._source.token_for(token)
