"""The one request that carries a token: its body, bounded, and as strictly read as a token itself."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from tokenward.token.strict import parse_unique_object

MAX_BODY_BYTES = 64 * 1024
"""A policy's default limit for a token is 16 KiB; four times that lets the checks say themselves that one is too large."""


class BodyRefused(Exception):
    """A body that is not what the page sends; nothing of it is in the problem."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


async def token_in(request: Request) -> str:
    """The token in {"token": "..."}. Raises BodyRefused for anything else."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise BodyRefused(415, "The body must be application/json.")
    try:
        members = parse_unique_object(await _bounded(request))
    except ValueError:
        raise BodyRefused(400, "The body is not a JSON object.") from None
    token = members.get("token")
    if members.keys() != {"token"} or not isinstance(token, str):
        raise BodyRefused(400, 'The body must be {"token": "..."} and nothing else.')
    return token


async def _bounded(request: Request) -> bytes:
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                raise BodyRefused(413, "This is longer than any token.")
    except ClientDisconnect:
        raise BodyRefused(400, "The body did not arrive whole.") from None
    return body
