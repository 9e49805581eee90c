"""What a front door adds to a request: the same ASGI app with and without it, called directly in a running loop."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.checks import ACCEPTED, REFUSED, Check, codes_of, wrong
from benchmarks.peers import AUTHENTICATION_MIDDLEWARE, REQUIRED, Call, azure_scheme
from benchmarks.report import Row, version
from benchmarks.run import Run
from benchmarks.subject import async_verifier, entra_policy
from benchmarks.tokens import CLIENT, TOKENS, V2_ISSUER, Corpus, entra_corpus
from tokenward.middleware.asgi import BearerMiddleware

NAME = "what the ASGI middleware adds"
BUDGET = 0.4
HEADERS = [
    (b"host", b"jobs.example"),
    (b"user-agent", b"python-httpx/0.28.1"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
]

App = Callable[..., Awaitable[None]]


async def plain(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001  # ASGI's signature
    """The smallest app there is, so that nothing hides what the door costs."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def middleware(run: Run) -> list[Row]:
    """Tokens seen before; guarded minus unguarded."""
    corpus = entra_corpus()
    verifier = async_verifier(entra_policy(), remember=2 * TOKENS)
    run.loop.run_until_complete(verifier.warm_up())
    guarded, unguarded = requesting(BearerMiddleware(plain, verifier=verifier)), requesting(plain)
    run.check(_checks(run, "tokenward", guarded, corpus))
    peers = _peer_doors(run, corpus)
    if not run.timing:
        return []
    added, found = _added(run, corpus, guarded, unguarded)
    details = {"guarded_us": found["guarded"][1], "unguarded_us": found["unguarded"][1], "bare_us": found["bare"][1]}
    beside = {name: pair if isinstance(pair, str) else _added(run, corpus, *pair)[0] for name, pair in peers.items()}
    return [Row(NAME, added, BUDGET, microseconds=added * found["bare"][1], peers=beside, details=details)]


def requesting(app: App) -> Call:
    """One GET with this token; raises unless the answer is 200."""

    async def call(token: str) -> None:
        status = await status_of(app, token)
        if status != 200:
            raise PermissionError(status)

    return call


async def status_of(app: App, token: str | None) -> int:
    sent: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            sent.append(message["status"])

    await app(_scope(token), receive, send)
    return sent[0]


def _scope(token: str | None) -> dict[str, Any]:
    """As uvicorn makes one for each request."""
    credentials = [(b"authorization", b"Bearer " + token.encode())] if token else []
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "root_path": "",
        "headers": [*HEADERS, *credentials],
        "state": {},
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
    }


def _added(run: Run, corpus: Corpus, guarded: Call, unguarded: Call) -> tuple[float, dict[str, tuple[float, float]]]:
    passes = {"guarded": run.pass_of(guarded, corpus.tokens), "unguarded": run.pass_of(unguarded, corpus.tokens)}
    found = run.ratios(corpus, passes)
    return found["guarded"][0] - found["unguarded"][0], found


def _checks(run: Run, name: str, call: Call, corpus: Corpus) -> list[Check]:
    given = {"a good token": (corpus.good, ACCEPTED), "a tampered token": (corpus.tampered, REFUSED)}
    given |= {"an expired token": (corpus.expired, REFUSED), "no token": ("", REFUSED)}

    def verdict(token: str) -> str:
        try:
            run.loop.run_until_complete(call(token))
        except Exception:  # noqa: BLE001  # each door refuses in its own way
            return REFUSED
        return ACCEPTED

    return [Check(NAME, name, check.given, check.expected, check.seen) for check in codes_of(NAME, verdict, given)]


def _peer_doors(run: Run, corpus: Corpus) -> dict[str, tuple[Call, Call] | str]:
    """Each peer's (guarded, unguarded), or the word that stands in the table."""
    if not run.with_peers:
        return {}
    found: dict[str, tuple[Call, Call] | str] = {}
    for name, needed, build in _DOORS:
        if any(version(distribution) is None for distribution in needed):
            found[name] = "not installed"
            continue
        try:
            pair = build(run)
        except Exception as exc:  # noqa: BLE001  # a peer that broke is reported, and the run goes on
            run.say(f"  {name}: {type(exc).__name__}: {exc}")
            found[name] = "broken"
            continue
        checks = _checks(run, name, pair[0], corpus)
        run.check(checks)
        found[name] = "wrong verdict" if wrong(checks) else pair
    return found


def _authentication_middleware(run: Run) -> tuple[Call, Call]:
    return requesting(with_authentication_middleware(plain, f"{run.provider.url}/RS256/keys")), requesting(plain)


def with_authentication_middleware(app: App, jwks_uri: str) -> App:
    """What people write today: Starlette's AuthenticationMiddleware, and PyJWKClient with decode in its backend."""
    jwt = importlib.import_module("jwt")
    authentication = importlib.import_module("starlette.authentication")
    module = importlib.import_module("starlette.middleware.authentication")
    client, options = jwt.PyJWKClient(jwks_uri), {"require": REQUIRED}

    class Backend(authentication.AuthenticationBackend):  # type: ignore[misc, name-defined]
        async def authenticate(self, conn: Any) -> Any:
            token = conn.headers.get("authorization", "").removeprefix("Bearer ")
            try:
                key = client.get_signing_key_from_jwt(token)
                claims = jwt.decode(token, key, algorithms=["RS256"], audience=CLIENT, issuer=V2_ISSUER, options=options)
            except jwt.PyJWTError as exc:
                raise authentication.AuthenticationError(str(exc)) from exc
            return authentication.AuthCredentials(["authenticated"]), authentication.SimpleUser(claims["sub"])

    guarded: App = module.AuthenticationMiddleware(app, backend=Backend())
    return guarded


def _azure(run: Run) -> tuple[Call, Call]:
    """A FastAPI route with the dependency, against the same route without it."""
    fastapi = importlib.import_module("fastapi")
    response = importlib.import_module("starlette.responses").Response
    scheme = azure_scheme(run.provider)
    guarded, unguarded = fastapi.FastAPI(), fastapi.FastAPI()

    async def hello() -> Any:
        return response(b"ok")

    guarded.get("/", dependencies=[fastapi.Security(scheme, scopes=["jobs.read"])])(hello)
    unguarded.get("/")(hello)
    return requesting(guarded), requesting(unguarded)


_DOORS: tuple[tuple[str, tuple[str, ...], Callable[[Run], tuple[Call, Call]]], ...] = (
    ("fastapi-azure-auth", ("fastapi-azure-auth", "fastapi"), _azure),
    (AUTHENTICATION_MIDDLEWARE, ("starlette", "PyJWT"), _authentication_middleware),
)
