"""The examination of a registration as one call: what Graph or files of the Azure CLI tell is read, and judged."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tokenward import validation
from tokenward.asking.driving import run
from tokenward.errors import PolicyError
from tokenward.keys.fetch import HttpxFetch
from tokenward.keys.port import Fetch
from tokenward.troubleshoot.registration.asking import Graph
from tokenward.troubleshoot.registration.az_files import AzFile, read_az_files
from tokenward.troubleshoot.registration.examine import Parts, findings
from tokenward.troubleshoot.registration.facts import Question, Registration
from tokenward.troubleshoot.registration.graph_address import GRAPHS, graph_root
from tokenward.troubleshoot.registration.reading import read_registration

TIMEOUT = 30.0
"""Seconds for all questions to Graph: five or six, and one or two for each resource."""
MAX_TIMEOUT = 600.0
"""Seconds; longer, nobody waits."""

_FIX = "Pass the access token for Graph alone, as text."


def examine_registration(
    question: Question,
    *,
    graph_token: str | None = None,
    az_files: Sequence[AzFile] = (),
    graph: str = GRAPHS["public"],
    fetch: Fetch | None = None,
    timeout: float = TIMEOUT,
    now: float | None = None,
) -> Parts:
    """Every check of `tokenward doctor` on an app registration, in parts.

    It changes nothing, prints nothing, and raises for nothing that Graph answers: what could not be read is a finding that is
    open (`held` is None). It blocks, so an event loop calls it in a thread.

    graph_token  for Microsoft Graph, which is asked by GET only; it is in no finding
    az_files     what the Azure CLI printed, in place of Graph; one of the two is given
    graph        Graph's scheme and host; other clouds have others, and only these get the token
    fetch        makes the requests; by default over httpx
    timeout      seconds for all questions to Graph, 600 at most
    now          for which time it is judged, in seconds since the epoch; by default the clock's

    Raises PolicyError. Source: learn.microsoft.com/graph/api/application-get.
    """
    at = time.time() if now is None else now
    if (graph_token is None) == (not az_files):
        problem = "neither it nor az_files is given" if graph_token is None else "both it and az_files are given"
        raise PolicyError("graph_token", problem, "Pass a token for Graph, or files of the Azure CLI.")
    if graph_token is None:
        return findings(read_az_files(az_files, question), question, at)
    asked = Graph(graph_root(graph), _token(graph_token))
    return findings(_read(asked, question, fetch or HttpxFetch(), timeout), question, at)


def _read(graph: Graph, question: Question, fetch: Fetch, timeout: float) -> Registration:
    problem, fix = "no question is answered in 0 seconds", "Give more than 0 seconds, or leave it out."
    seconds = validation.some_seconds("timeout", timeout, most=MAX_TIMEOUT, problem=problem, fix=fix)
    return run(read_registration(graph, question), fetch, time.monotonic() + seconds)


def _token(value: object) -> str:
    """Text that can stand in a header; a line break in it would begin another one."""
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()) or " " in value:
        raise PolicyError("graph_token", "it is no token", _FIX)
    return value
