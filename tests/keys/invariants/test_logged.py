"""I14: whatever text a token or an issuer's answer brings, what is logged of it is plain, short and on one line."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from random import Random
from types import ModuleType
from typing import Any

import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from tokenward import Verifier, diagnostics, entra, keylog, redaction
from tokenward.diagnostics import Diagnostics
from tokenward.errors import AuthenticationError
from tokenward.keylog import log_key_event
from tokenward.keys import threads
from tokenward.keys.location import Discovery, Remote
from tokenward.keys.port import FetchFailed, FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import KeySource
from tokenward.redaction import MAX_TEXT
from tokenward.testing import LocalIssuer

LONGEST = 2 * MAX_TEXT
"""Of any text in an event, hints and fixed words included."""
CUNNING = [
    "\n",
    "\r\n{}",
    "\x1b[31m",
    "\x00",
    "\u2028",
    "\u202e",
    "\ud800",
    "\x7f",
    "\x85",
    "é",
    "\U0001f600",
    '"',
    "\\",
    "a" * 5000,
]
TEXTS = st.lists(st.sampled_from(CUNNING) | st.text(max_size=30), min_size=1, max_size=5).map("".join)
QUICK = settings(max_examples=200, database=None, phases=[hypothesis.Phase.generate])
Patch = pytest.MonkeyPatch
Logged = list[dict[str, Any]]


class Strange:
    """A verifier and a source of keys, with everything that a stranger writes in one text's hand."""

    def __init__(self) -> None:
        self.issuer = LocalIssuer()
        policy = entra.api(self.issuer.client_id, [self.issuer.tenant], cloud=self.issuer.cloud)
        self.verifier = Verifier(policy, fetch=self.issuer.fetch, observer=None)
        self.good = self.issuer.user_token()
        self.verifier.verify(self.good)

    def logged(self, text: str) -> Logged:
        return [*self._of_tokens(text), *self._of_answers(text)]

    def _of_tokens(self, text: str) -> Iterator[dict[str, Any]]:
        header, claims, signature = self.good.split(".")
        usual: dict[str, object] = {"alg": "RS256", "typ": "JWT"}
        members: list[dict[str, object]] = [{"kid": text}, {"alg": text}, {"typ": text}, {"kid": "k", "crit": [text]}]
        for strange in members:
            token = f"{encoded(usual | strange)}.{claims}.{signature}"
            yield from self._rejected(token, text)
        for name in ("iss", "aud", "tid", "ver"):
            yield from self._rejected(f"{header}.{encoded(self._claims() | {name: text})}.{signature}", text)

    def _claims(self) -> dict[str, object]:
        return {"iss": "https://idp.example", "aud": self.issuer.client_id, "exp": 2**32}

    def _rejected(self, token: str, text: str) -> Logged:
        logger = CapturingLogger()
        with pytest.raises(AuthenticationError) as refused:
            self.verifier.verify(token)
        Diagnostics(logger=logger).rejected(refused.value, method=text, path=text)
        return fields_of(logger)

    def _of_answers(self, text: str) -> Iterator[dict[str, Any]]:
        body = text.encode("utf-8", "surrogatepass")
        jwk = {"kty": text, "kid": text, "alg": text, "use": text, "crv": text, "x": text}
        for answer in (
            FetchResponse(302, {"location": f"https://{text}/"}, b""),
            FetchResponse(503, {"retry-after": text}, body),
            FetchResponse(200, {"content-type": text}, body),
            FetchResponse(200, {"content-type": f"text/html {text}"}, body),
            FetchResponse(200, {}, json.dumps({"issuer": text, "jwks_uri": text}).encode()),
            FetchResponse(200, {}, json.dumps({"issuer": "https://idp.example", "jwks_uri": text}).encode()),
            FetchResponse(200, {}, json.dumps({"keys": [jwk], text: text}).encode()),
            FetchFailed("other", text),
        ):
            yield from self._fetched(answer)
        yield from self._seeded(body)
        yield from self._seeded(json.dumps({"keys": [jwk]}).encode())

    def _fetched(self, answer: FetchResponse | FetchFailed) -> Logged:
        logger = CapturingLogger()
        source = source_of(logger)
        lease = source.tick()
        assert lease is not None

        def fetch(_request: object) -> FetchResponse:
            if isinstance(answer, FetchFailed):
                raise answer
            return answer

        threads._fetch_for(source, lease, fetch)
        return fields_of(logger)

    def _seeded(self, document: bytes) -> Logged:
        logger = CapturingLogger()
        source_of(logger).seed(document, 1.7e9)
        return fields_of(logger)


def source_of(logger: CapturingLogger) -> KeySource:
    location: Remote = Discovery("https://idp.example/d", frozenset({"https://idp.example"}))
    clock = lambda: 1.7e9  # noqa: E731
    return KeySource(location, rhythm=Rhythm(), clock=clock, monotonic=clock, observer=lambda e: log_key_event(e, logger))


def encoded(content: dict[str, object]) -> str:
    return urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def fields_of(logger: CapturingLogger) -> Logged:
    """The events that were logged, one dict each."""
    assert logger.calls, "nothing was logged"
    return [{"event": call.args[0], **call.kwargs} for call in logger.calls]


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, content in value.items():
            yield from (str(name), *texts_in(content))
    elif isinstance(value, (list, tuple, set)):
        for content in value:
            yield from texts_in(content)


def bad_texts(events: Logged) -> list[str]:
    """What no log should hold: control characters, lines, other alphabets' look-alikes, and texts without an end."""
    found = (text for event in events for text in texts_in(event))
    return [text for text in found if len(text) > LONGEST or not (text.isascii() and text.isprintable())]


@pytest.fixture(scope="module")
def strange() -> Strange:
    return Strange()


@given(text=TEXTS)
@settings(max_examples=100, deadline=None)
def test_i14_what_strangers_write_is_logged_escaped_and_cut(strange: Strange, text: str) -> None:
    assert bad_texts(strange.logged(text)) == []


# -- logs that pass it on ----------------------------------------------------------------------------------------------


def passed_on(value: object) -> object:
    return value


def cut_only(value: object) -> object:
    return value[:MAX_TEXT] if isinstance(value, str) else redaction.shown(value)


def escaped_only(value: object) -> object:
    return value.encode("unicode_escape").decode() if isinstance(value, str) else redaction.shown(value)


@pytest.mark.parametrize(
    ("rule", "mutant"),
    [
        pytest.param("I14", passed_on, id="texts are logged as they are"),
        pytest.param("I14", cut_only, id="texts are cut and not escaped"),
        pytest.param("I14", escaped_only, id="texts are escaped and not cut"),
    ],
)
@pytest.mark.parametrize("log", [keylog, diagnostics])
def test_a_log_that_breaks_the_rule_is_caught(
    strange: Strange, monkeypatch: Patch, log: ModuleType, rule: str, mutant: Callable[[object], object]
) -> None:
    monkeypatch.setattr(log, "shown", mutant)
    assert hypothesis.find(TEXTS, lambda text: bool(bad_texts(strange.logged(text))), settings=QUICK, random=Random(1))
