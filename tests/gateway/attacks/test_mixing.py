"""Nobody ever gets another's token: callers, service principals, scopes and workspaces in any order, at any time, in one process
and through a store that is shared, even one that hands out the entries of others."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenward.databricks import AccessToken, AsyncTokenSource, Exchange, Subject
from tokenward.databricks.shared.shared_tokens import SharedTokens
from tokenward.errors import AuthenticationError
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.testing import HandClock

NOW = 1_800_000_000
CLIENTS = [None, "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000010"]
SCOPES = ["all-apis", "sql", "sql files", "sqlfiles"]
HOSTS = ["https://one.example", "https://one.example.evil.example"]
GRANTS = [Exchange(host, client_id=client, scope=scope) for host in HOSTS for client in CLIENTS for scope in SCOPES] + [
    Exchange(HOSTS[0], account_id=CLIENTS[1], scope="sql"),
    Exchange(HOSTS[0], account_id=CLIENTS[2], scope="sql"),
]


def _segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _jwt(claims: Mapping[str, object], signature: str) -> str:
    return f"{_segment({'alg': 'RS256', 'kid': 'k'})}.{_segment(claims)}.{signature}"


CALLERS = [
    *(_jwt({"sub": f"caller{number}", "exp": NOW + 3600, "iss": "https://idp.example"}, "AAAA") for number in range(4)),
    # The same words, signed anew; the same person, at another issuer; a name that looks alike; a life that ends soon.
    _jwt({"sub": "caller0", "exp": NOW + 3600, "iss": "https://idp.example"}, "AAAB"),
    _jwt({"sub": "caller0", "exp": NOW + 3600, "iss": "https://idp.example/"}, "AAAA"),
    _jwt({"sub": "Caller0", "exp": NOW + 3600, "iss": "https://idp.example"}, "AAAA"),
    _jwt({"sub": "caller0", "exp": NOW + 120, "iss": "https://idp.example"}, "AAAA"),
]


class Wish(NamedTuple):
    """What one caller asks for."""

    grant: int
    caller: int
    pause: int
    given_up: bool


WISHES = st.lists(
    st.builds(Wish, st.integers(0, len(GRANTS) - 1), st.integers(0, len(CALLERS) - 1), st.integers(0, 3), st.booleans()),
    min_size=2,
    max_size=40,
)


class Endpoint:
    """A token endpoint that writes into each token for whom it is. It answers in any order, and sometimes not at all."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        for _ in range(self._random.randrange(6)):
            await asyncio.sleep(0)
        fate = self._random.random()
        if fate < 0.1:
            raise FetchFailed("read", "broken off")
        if fate < 0.2:
            return FetchResponse(400, {}, b'{"error": "invalid_grant", "error_description": "TOKEN_INVALID"}')
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        return FetchResponse(200, {}, json.dumps(_answer(request.url, form)).encode())


def _answer(url: str, form: Mapping[str, str]) -> dict[str, object]:
    mine = {"exp": NOW + 3000, **_for_whom(url, form["subject_token"], form.get("client_id"), form["scope"])}
    return {"access_token": _jwt(mine, "BBBB"), "token_type": "Bearer", "expires_in": 1800, "scope": form["scope"]}


def _for_whom(url: str, token: str, client: str | None, scope: str) -> dict[str, object]:
    return {"url": url, "for": hashlib.sha256(token.encode()).hexdigest(), "client": client, "granted": scope}


def _is_of(access: AccessToken, wish: Wish) -> bool:
    payload = access.value.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    grant = GRANTS[wish.grant]
    return bool(claims == {"exp": NOW + 3000, **_for_whom(grant.url, CALLERS[wish.caller], grant.client_id, grant.scope)})


class Memory:
    """A store in memory (`shared.store.Store`). The one that is `false` hands out anybody's entry, whatever is asked for."""

    where = "memory"

    def __init__(self, false: random.Random | None = None) -> None:
        self._held: dict[bytes, bytes] = {}
        self._false = false

    async def ask(self, key: bytes, mine: bytes, seconds: float, instead_of: bytes = b"") -> bytes | None:
        await asyncio.sleep(0)
        if self._false and self._held and self._false.random() < 0.5:
            return self._false.choice(list(self._held.values()))
        held = self._held.get(key)
        if held is None or held in (mine, instead_of):
            self._held[key] = mine
            return None
        return held

    async def put(self, key: bytes, entry: bytes, seconds: float) -> None:
        await asyncio.sleep(0)
        self._held[key] = entry

    async def leave(self, key: bytes, mine: bytes) -> None:
        if self._held.get(key) == mine:
            del self._held[key]

    async def close(self) -> None:
        pass


async def _one(source: AsyncTokenSource, wish: Wish) -> AccessToken | None:
    for _ in range(wish.pause):
        await asyncio.sleep(0)
    asking = source.token_for(CALLERS[wish.caller])
    try:
        if wish.given_up:
            async with asyncio.timeout(0):
                return await asking
        return await asking
    except (AuthenticationError, TimeoutError):
        return None


async def _rounds(
    rounds: list[list[Wish]], processes: int, seed: int, stores: Any, timeout: float = 0.2
) -> list[tuple[Wish, AccessToken | None]]:
    """Each round at one time, in several processes by turns; between two of them, time passes."""
    clock, mono, endpoint = HandClock(NOW), HandClock(0.0), Endpoint(seed)
    shared = None if stores is None else SharedTokens(stores, bytes(range(32)), observer=None)
    options: dict[str, Any] = {
        "fetch": endpoint.fetch,
        "clock": clock,
        "monotonic": mono,
        "observer": None,
        "remember": 16,
        "timeout": timeout,
    }
    sources = [[AsyncTokenSource(grant, shared=shared, **options) for grant in GRANTS] for _ in range(processes)]
    seen: list[tuple[Wish, AccessToken | None]] = []
    for wishes in rounds:
        asked = [_one(sources[number % processes][wish.grant], wish) for number, wish in enumerate(wishes)]
        seen += zip(wishes, await asyncio.gather(*asked), strict=True)
        clock.advance(700)
        mono.advance(700)
    return seen


SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEWER = settings(SETTINGS, max_examples=40)
"""Whoever waits for another process waits for real."""


@SETTINGS
@given(st.lists(WISHES, min_size=1, max_size=4), st.integers(0, 1 << 32))
def test_in_one_process_everybody_gets_the_own_token_or_none(rounds: list[list[Wish]], seed: int) -> None:
    for wish, access in asyncio.run(_rounds(rounds, 1, seed, None)):
        assert access is None or _is_of(access, wish)


@FEWER
@given(st.lists(WISHES, min_size=1, max_size=3), st.integers(0, 1 << 32))
def test_through_a_shared_store_everybody_gets_the_own_token_or_none(rounds: list[list[Wish]], seed: int) -> None:
    for wish, access in asyncio.run(_rounds(rounds, 3, seed, Memory())):
        assert access is None or _is_of(access, wish)


@FEWER
@given(st.lists(WISHES, min_size=1, max_size=3), st.integers(0, 1 << 32))
def test_a_store_that_mixes_up_its_entries_mixes_up_nobody(rounds: list[list[Wish]], seed: int) -> None:
    for wish, access in asyncio.run(_rounds(rounds, 3, seed, Memory(random.Random(seed)))):
        assert access is None or _is_of(access, wish)


def test_most_of_them_do_get_a_token() -> None:
    """What is said above would also be true if nobody got any."""
    wishes = [Wish(grant, caller, 0, False) for grant in range(len(GRANTS)) for caller in range(len(CALLERS))]
    for processes, store in ((1, None), (3, Memory())):
        seen = asyncio.run(_rounds([wishes], processes, 1, store, timeout=10.0))
        assert sum(access is not None for _, access in seen) > len(wishes) // 2
        assert all(access is None or _is_of(access, wish) for wish, access in seen)


def test_no_two_grants_have_one_key_for_any_caller() -> None:
    keys = {grant.key(Subject.read(caller)) for grant in GRANTS for caller in CALLERS}
    assert len(keys) == len(GRANTS) * len(CALLERS)
