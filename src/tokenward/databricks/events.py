"""What is told of exchanges: an event for each, never a token, and the state of a source on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tokenward.diagnostics import event_fields
from tokenward.errors import AuthenticationError, ServiceUnavailable
from tokenward.logger import Logger, logger_or_ours
from tokenward.redaction import shown


@dataclass(frozen=True, slots=True)
class TokenExchanged:
    """A token was had. `grant` names the kind and the host; `seconds` is what it took, and `expires_in` what is left of it."""

    grant: str
    seconds: float
    expires_in: float
    scope: str


@dataclass(frozen=True, slots=True)
class TokenExchangeFailed:
    """No token was had. All callers who wait for it are refused with `error`, or a copy of it."""

    grant: str
    seconds: float
    error: AuthenticationError


ExchangeEvent: TypeAlias = TokenExchanged | TokenExchangeFailed
ExchangeObserver: TypeAlias = Callable[[ExchangeEvent], None]


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """One source of tokens: how many it holds and refuses now, and what it did since it began."""

    grant: str
    held: int
    refused: int
    in_flight: int
    exchanges: int
    failures: int


def log_exchange_event(event: ExchangeEvent, logger: Logger | None = None) -> None:
    """Report one exchange. The default observer. Raises PolicyError for a logger that is none."""
    log = logger_or_ours(logger)
    seconds = round(event.seconds, 3)
    if isinstance(event, TokenExchanged):
        log.info(
            "token_exchanged", grant=event.grant, seconds=seconds, expires_in=round(event.expires_in), scope=shown(event.scope)
        )
        return
    report = log.error if isinstance(event.error, ServiceUnavailable) else log.warning
    fields = event_fields(event.error)
    fields.pop("signature_held")  # whoever verified the caller's token knows; here it is given
    report("token_exchange_failed", grant=event.grant, seconds=seconds, **fields)
