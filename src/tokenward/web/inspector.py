"""The inspector as a Starlette app: a page that explains tokens, the facts it needs, and the checks, which Python makes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tokenward import validation
from tokenward.errors import PolicyError
from tokenward.policy import Policy
from tokenward.troubleshoot.explanation.explain import explain
from tokenward.web.body import BodyRefused, token_in
from tokenward.web.facts import facts
from tokenward.web.guard import Guard
from tokenward.web.page_files import page_files

Explainer: TypeAlias = Callable[[str], Mapping[str, object]]
"""A token's text -> the JSON of a report, as `tokenward.troubleshoot.Report.to_json` gives it; it may block."""

_OPT_IN = "Pass opted_in=True, and read in docs/inspector.md whom the page answers."


def inspector(
    policy: Policy | None = None,
    *,
    opted_in: bool = False,
    hosts: Sequence[str] = (),
    explainer: Explainer | None = None,
) -> Starlette:
    """The page for pasted tokens, to be run by itself or mounted: `Mount("/inspector", inspector(policy, opted_in=True))`.

    It keeps no token, logs none, and asks nobody but the policy's issuers, for their keys. It does not authenticate whoever
    opens it: everybody who reaches it may ask why a token is refused, so it belongs on one machine or behind a login.

    policy     by which tokens are judged; None judges what can be judged without one
    opted_in   must be True: no app gets this page by accident
    hosts      the names under which it answers, such as ["inspector.example"], with the port unless it is the scheme's own.
               Without any it answers on this machine alone: by a loopback name, to a loopback address
    explainer  what judges a token, in place of tokenward.troubleshoot.explain with the policy

    Raises PolicyError.
    """
    if opted_in is not True:
        raise PolicyError("opted_in", "the inspector explains tokens to everybody who can open it", _OPT_IN)
    if policy is not None and not isinstance(policy, Policy):
        raise PolicyError("policy", "it is not a Policy", "Pass one, or None to judge without.")
    names = validation.texts("hosts", hosts, "['inspector.example']", empty=True)
    judge = explainer or (lambda token: explain(token, policy).to_json())
    guard = Middleware(Guard, hosts=frozenset(name.lower() for name in names))
    return Starlette(routes=[*_files(), _facts(policy), _checks(judge)], middleware=[guard])


def _files() -> list[Route]:
    return [Route(f"/{'' if name == 'index.html' else name}", _constant(*file)) for name, file in page_files().items()]


def _constant(content: bytes, media_type: str) -> Callable[[Request], Response]:
    packed = gzip.compress(content, mtime=0)
    return lambda request: _sent(request, content, packed, media_type)


def _facts(policy: Policy | None) -> Route:
    """What the page knows without asking again."""
    kept: list[tuple[bytes, bytes]] = []

    def answer(request: Request) -> Response:
        if not kept:
            content = json.dumps(facts(policy), separators=(",", ":")).encode()
            kept.append((content, gzip.compress(content, mtime=0)))
        return _sent(request, *kept[0], "application/json")

    return Route("/facts.json", answer)


def _sent(request: Request, content: bytes, packed: bytes, media_type: str) -> Response:
    """Compressed for who takes that, which is safe, for no secret is in it."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type=media_type, headers={"Content-Encoding": "gzip"})
    return Response(content, media_type=media_type)


def _checks(explainer: Explainer) -> Route:
    async def answer(request: Request) -> Response:
        try:
            token = await token_in(request)
        except BodyRefused as refused:
            return JSONResponse({"error": refused.problem}, refused.status)
        try:
            return JSONResponse(await run_in_threadpool(explainer, token))
        except Exception as exc:  # noqa: BLE001  # a server's log of it could quote the token
            return JSONResponse({"error": f"The checks failed ({type(exc).__name__}), which is a defect of tokenward."}, 500)

    return Route("/explain", answer, methods=["POST"])
