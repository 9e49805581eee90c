"""The most likely cause: what began and not what is always there, from whom, since when, and the next step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tokenward.errors import CODES
from tokenward.troubleshoot.logs import Cause, Tally, cause_of

NOW = 1_767_960_000.0
ISSUER = "https://idp.example/"

Counted = Callable[[Iterable[bytes]], Tally]
Line = Callable[..., bytes]


def _cause(tally: Tally) -> Cause:
    found = cause_of(tally, 0.0)
    assert found is not None
    return found


def test_there_is_none_without_rejections(counted: Counted, line: Line) -> None:
    assert cause_of(counted([line("keys_refresh_failed", source="a")]), 0.0) is None


def test_what_grew_goes_before_what_is_always_there(counted: Counted, line: Line) -> None:
    always = [line(code="missing_token", at=NOW - 7200 + 10 * number) for number in range(720)]
    began = [line(code="unknown_key", at=NOW - 60 + number, issuer=ISSUER) for number in range(20)]
    cause = _cause(counted([*always, *began]))
    assert cause.code == "unknown_key"
    assert cause.sentence.startswith("40 % of the 50 rejections in the last 5 min of the log: unknown_key (new) from issuer")
    assert "since 2026-01-09 11:59:00 UTC." in cause.sentence


def test_without_a_time_before_the_largest_is_it(counted: Counted, line: Line) -> None:
    lines = [line(code="unknown_key", at=NOW + number) for number in range(3)] + [line(code="token_expired")]
    assert _cause(counted(lines)).sentence == ("75 % of the 4 rejections: unknown_key, since 2026-01-09 12:00:00 UTC.")


def test_without_any_time_everything_counts(counted: Counted, line: Line) -> None:
    lines = [line(code="unknown_key", at=None, client="c")] * 3 + [line(at=None)]
    assert _cause(counted(lines)).sentence == "75 % of 4 rejections without a time: unknown_key from client c."


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        pytest.param(["aaaaaaaaaaaa"] * 9, "It is one token, sent again and again.", id="one"),
        pytest.param([f"{number % 3:012x}" for number in range(9)], "They are 3 different tokens.", id="a few"),
        pytest.param([f"{number:012x}" for number in range(400)], "They are 100 different tokens or more", id="many"),
        pytest.param(["aaaaaaaaaaaa"] * 2, None, id="too few rejections to tell"),
        pytest.param([None] * 9, None, id="no fingerprints"),
    ],
)
def test_it_says_whether_it_is_one_token_or_many(counted: Counted, line: Line, tokens: list[Any], words: str | None) -> None:
    told = _cause(counted(line(client="c", fingerprint=token) for token in tokens)).sentence
    assert (words in told) if words else ("token," not in told and "tokens" not in told)


def test_the_client_is_named_and_how_much_of_it_is_known(counted: Counted, line: Line) -> None:
    lines = [line(client="ada", at=NOW)] * 8 + [line(client="bob", at=NOW)] * 2
    lines.append(line("token_rejections_summed", not_logged={"token_expired": 90}, seconds=60, at=NOW))
    told = _cause(counted(lines)).sentence
    assert told.startswith("all of the 100 rejections: token_expired from client ada (80 % of those logged one by one)")


def test_an_issuer_without_a_client_is_called_the_tokens_own_word(counted: Counted, line: Line) -> None:
    assert "from issuer https://evil/, which is the token's own word" in _cause(counted([line(issuer="https://evil/")])).sentence


@pytest.mark.parametrize(
    ("code", "event"), [("keys_unavailable", "keys_refresh_failed"), ("exchange_unavailable", "token_exchange_failed")], ids=str
)
def test_our_own_inability_is_explained_by_what_failed(counted: Counted, line: Line, code: str, event: str) -> None:
    lines = [
        line(event, source=ISSUER, kind="timeout", hint="Ask the network."),
        line(code=code, hint="See elsewhere.", issuer=ISSUER),
    ]
    cause = _cause(counted(lines))
    assert f"Around it: {event} (" in cause.sentence
    assert cause.hint == "Ask the network."


@pytest.mark.parametrize(
    ("code", "step"),
    [
        pytest.param("unknown_key", f"tokenward keys {ISSUER}", id="keys"),
        pytest.param("keys_unavailable", f"tokenward keys {ISSUER}", id="no keys"),
        pytest.param("audience_not_accepted", "tokenward explain", id="a claim"),
        pytest.param("exchange_refused", "tokenward diagnose", id="an exchange"),
        pytest.param("missing_token", "the client", id="no token to explain"),
        pytest.param("path_not_allowed", "request_refused", id="the gateway's"),
        pytest.param("a_code_of_ones_own", "tokenward explain", id="unknown"),
    ],
)
def test_the_next_step_fits_the_code(counted: Counted, line: Line, code: str, step: str) -> None:
    assert step in _cause(counted([line(code=code, issuer=ISSUER)])).next


@pytest.mark.parametrize(
    "issuer",
    ["https://x/;reboot", "https://x/$(id)", "https://x/ --help", "-x", "https://x/`id`", "javascript:a", "https://x/\n"],
    ids=repr,
)
def test_no_strangers_text_gets_into_a_command(counted: Counted, line: Line, issuer: str) -> None:
    assert _cause(counted([line(code="unknown_key", issuer=issuer)])).next == "tokenward keys ISSUER"


ANSWERED_BY = {
    "tokenward keys ": ("key_not_for_issuer", "keys_unavailable", "signature_invalid", "unknown_key"),
    "tokenward diagnose --file LOG": ("claims_challenge", "exchange_refused", "exchange_unavailable"),
    "tokenward me, ": ("user_not_in_workspace",),
    "look at how the client sends": ("invalid_authorization", "missing_token", "multiple_tokens", "token_too_large"),
    "tokenward explain, ": (
        *("algorithm_not_allowed", "audience_not_accepted", "caller_kind_not_allowed", "claim_malformed", "claim_missing"),
        *("client_not_allowed", "critical_header_unsupported", "guest_not_allowed", "insufficient_role", "insufficient_scope"),
        *("issuer_not_trusted", "malformed_token", "tenant_not_allowed", "token_expired", "token_not_yet_valid"),
        "token_type_not_accepted",
    ),
}
"""What answers for which code: a person with a new code decides it here, and in `cause`."""
STEPS = {code: step for step, codes in ANSWERED_BY.items() for code in codes}


@pytest.mark.parametrize("code", sorted(CODES.keys() | STEPS.keys()))
def test_every_code_leads_to_the_step_that_answers_for_it(counted: Counted, line: Line, code: str) -> None:
    assert (code in CODES, code in STEPS) == (True, True), "a code without a decision here, or a decision without a code"
    cause = _cause(counted([line(code=code, issuer=ISSUER)]))
    assert (cause.code, cause.next[: len(STEPS[code])]) == (code, STEPS[code])


# -- since when --------------------------------------------------------------------------------------------------------


def _of(client: str, line: Line, *, begins: float, every: float, count: int) -> list[bytes]:
    return [line(client=client, at=NOW - begins + every * number) for number in range(count)]


def test_the_beginning_is_that_of_whoever_has_most_of_it_and_not_of_a_trickle_beside_it(counted: Counted, line: Line) -> None:
    trickle = _of("bob", line, begins=7200, every=60, count=120)
    flood = _of("ada", line, begins=60, every=1, count=40)
    cause = _cause(counted([*trickle, *flood]))
    assert "from client ada" in cause.sentence
    assert cause.since == NOW - 60
    assert ", since 2026-01-09 11:59:00 UTC." in cause.sentence


def test_where_nobody_has_most_of_it_the_first_beginning_counts(counted: Counted, line: Line) -> None:
    first = _of("carol", line, begins=7200, every=60, count=120)
    leader = _of("ada", line, begins=60, every=5, count=6)
    other = _of("bob", line, begins=90, every=10, count=5)
    cause = _cause(counted([*first, *leader, *other]))
    assert "from client ada" in cause.sentence
    assert cause.since == NOW - 7200


def test_what_ended_before_the_last_minutes_of_the_log_began_nothing(counted: Counted, line: Line) -> None:
    ended = _of("bob", line, begins=7200, every=60, count=10)
    now = [*_of("ada", line, begins=60, every=20, count=3), *_of("carol", line, begins=50, every=20, count=3)]
    assert _cause(counted([*ended, *now])).since == NOW - 60
