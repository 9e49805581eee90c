"""The port to structlog: what is used of a logger, and how one that would lose events is refused."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import structlog

from tokenward.errors import PolicyError


class Logger(Protocol):
    """What is used of a structlog logger."""

    def info(self, event: str, **fields: Any) -> Any: ...

    def warning(self, event: str, **fields: Any) -> Any: ...

    def error(self, event: str, **fields: Any) -> Any: ...


def logger_or_ours(logger: Logger | None) -> Logger:
    """The logger that was given, or structlog's of our name. Raises PolicyError."""
    if logger is None:
        ours: Logger = structlog.get_logger("tokenward")
        return ours
    if isinstance(logger, (logging.Logger, logging.LoggerAdapter)):
        fix = "Pass structlog.stdlib.get_logger(...), or leave it out and configure structlog."
        raise PolicyError("logger", "it is one of the logging module, which takes no fields", fix)
    if not all(callable(getattr(logger, level, None)) for level in ("info", "warning", "error")):
        raise PolicyError("logger", "it has no methods info, warning and error", "Pass structlog.get_logger(...).")
    return logger
