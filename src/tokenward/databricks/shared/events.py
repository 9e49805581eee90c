"""What is told of shared tokens: that the store was lost, that it is back, and that its entries cannot be opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from tokenward.databricks.shared.store import Why
from tokenward.logger import Logger, logger_or_ours


@dataclass(frozen=True, slots=True)
class SharedTokensLost:
    """The store failed. Until it is back this process makes every exchange itself; no caller is refused for it."""

    where: str
    why: Why
    detail: str


@dataclass(frozen=True, slots=True)
class SharedTokensBack:
    """The store works again, after so many seconds."""

    where: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SharedTokensUnreadable:
    """An entry was found that no key of ours opens. It is told once a minute at most."""

    where: str


SharedEvent: TypeAlias = SharedTokensLost | SharedTokensBack | SharedTokensUnreadable
SharedObserver: TypeAlias = Callable[[SharedEvent], None]


def log_shared_event(event: SharedEvent, logger: Logger | None = None) -> None:
    """Report one event. The default observer. Raises PolicyError for a logger that is none."""
    log = logger_or_ours(logger)
    match event:
        case SharedTokensLost():
            log.warning("shared_tokens_lost", store=event.where, why=event.why, detail=event.detail, hint=_HINTS[event.why])
        case SharedTokensBack():
            log.info("shared_tokens_back", store=event.where, seconds=round(event.seconds, 1))
        case SharedTokensUnreadable():
            log.warning("shared_tokens_unreadable", store=event.where, hint=_UNREADABLE)
        case _:
            assert_never(event)


_ALONE = "Until it is back each process exchanges tokens for itself."
_HINTS: dict[Why, str] = {
    "timeout": f"Redis did not answer in time; see its load and the network. {_ALONE}",
    "connect": f"Redis does not take the connection; see whether it runs, its address and the firewall. {_ALONE}",
    "dns": f"The host name of Redis does not resolve here; check the url. {_ALONE}",
    "tls": f"The certificate of Redis is not accepted; give its CA as ssl_ca_certs in the url. {_ALONE}",
    "credentials": f"Redis refuses the user or the password of the url. {_ALONE}",
    "answer": f"Redis answered with an error, which detail names; see the rights of its user, its memory and its role. {_ALONE}",
    "loop": "Shared tokens need asyncio; in any other event loop each process exchanges tokens for itself.",
    "closed": "This process hung up itself.",
    "other": f"Something broke here, and not in Redis; if it repeats, report it with its detail. {_ALONE}",
}
_UNREADABLE = (
    "Another process seals with another key, or somebody writes under this prefix: compare the keys of all processes. "
    "After a change of keys it is so for an hour at most, and only costs exchanges."
)
