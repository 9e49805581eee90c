"""The log of a server: one line of JSON for each event, or coloured lines for people; the web server's own lines among them."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

from tokenward.redaction import shown

ACCESS = "uvicorn.access"
ACCESS_ARGUMENTS = 5
"""Client, method, target, version and status, as uvicorn's own formatter of access lines takes them apart."""


class _Stderr:
    """Standard error, whose loss costs lines and nothing else: a full disk while it is full, a reader's going for ever."""

    def write(self, text: str) -> None:
        self._try(lambda: sys.stderr.write(text))

    def flush(self) -> None:
        self._try(sys.stderr.flush)

    def _try(self, what: Callable[[], object]) -> None:
        try:
            what()
        except BrokenPipeError:  # Python itself would stumble over it at the start of a worker, and at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        except (OSError, ValueError):
            pass


def configure_logs(form: str | None, *, access_log: bool) -> None:
    """Write everything to stderr as "json" or "console"; None takes JSON unless stderr is a terminal."""
    if sys.stderr is None:
        return
    is_json = form == "json" or (form is None and not sys.stderr.isatty())
    shared: list[Processor] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper("iso", utc=True), _with_process]
    last: list[Processor] = (
        [_plain_exception, _in_order, structlog.processors.JSONRenderer(default=str)]
        if is_json
        else [_plain_exception, _console()]
    )
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Stderr())),
        cache_logger_on_first_use=False,
    )
    _configure_logging(shared, last)
    logging.getLogger(ACCESS).disabled = not access_log


def _configure_logging(shared: list[Processor], last: list[Processor]) -> None:
    """What uses the standard library's logging: the web server from INFO on, all others from WARNING on."""
    named: list[Processor] = [structlog.stdlib.add_logger_name, *shared, _of_others]
    cleaned: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
    handler = logging.StreamHandler(_Stderr())
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=named, processors=cleaned, pass_foreign_args=True))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("uvicorn").setLevel(logging.INFO)


def _with_process(logger: object, method: str, event: EventDict) -> EventDict:  # noqa: ARG001  # structlog's signature
    event["pid"] = os.getpid()
    return event


def _of_others(logger: object, method: str, event: EventDict) -> EventDict:  # noqa: ARG001  # as above
    """What the web server and other packages write: masked, because they may quote anything; a request without its query."""
    arguments = event.pop("positional_args", ())
    if event["logger"] == ACCESS and len(arguments) == ACCESS_ARGUMENTS:
        client, verb, target, _, status = arguments
        path = shown(str(target).partition("?")[0])
        return {**event, "event": "request", "method": verb, "path": path, "answered": status, "client": client}
    return {**event, "event": shown(str(event["event"]))}


def _in_order(logger: object, method: str, event: EventDict) -> EventDict:  # noqa: ARG001  # as above
    """What every line has comes first, so that lines can be read one below the other."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "pid", "event") if name in event}
    return {**first, **event}


def _plain_exception(logger: object, method: str, event: EventDict) -> EventDict:  # noqa: ARG001  # as above
    """Where it happened; no local variables, and nothing of an exception's text that could be a token."""
    info: Any = event.pop("exc_info", None)
    if info:
        kind, exc, trace = _exc_info(info)
        lines = "".join(traceback.format_exception(kind, exc, trace)).splitlines() if exc is not None else []
        event["exception"] = [shown(line) for line in lines]
    return event


def _exc_info(info: Any) -> tuple[Any, Any, Any]:
    if isinstance(info, BaseException):
        return type(info), info, info.__traceback__
    return info if isinstance(info, tuple) else sys.exc_info()


def _console() -> Processor:
    def write(logger: object, method: str, event: EventDict) -> str:
        lines = event.pop("exception", [])
        text: str = renderer(logger, method, event)
        return "\n".join([text, *lines])

    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    return write
