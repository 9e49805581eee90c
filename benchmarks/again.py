"""Tokens seen before: what is left when the signature need not be computed again."""

from __future__ import annotations

import json

from benchmarks.checks import ACCEPTED, Check, codes_of, the_three
from benchmarks.report import Row
from benchmarks.run import Run
from benchmarks.subject import entra_policy, verdict, verifier
from benchmarks.tokens import LIFETIME, TOKENS, Corpus, entra_corpus, unbase64url

NAME = "the same token again"
BUDGET = 0.25


def same_token_again(run: Run) -> list[Row]:
    """All tokens of the corpus in turn, each remembered; and one token over and over."""
    corpus, made = entra_corpus(), verifier(entra_policy(), remember=2 * TOKENS)
    for token in corpus.tokens:
        made.verify(token)
    run.check(codes_of(NAME, lambda token: verdict(made, token), the_three(corpus)))
    run.check(_time_passes(corpus))
    calls = run.peers(NAME, "RS256")
    if not run.timing:
        return []
    one = [corpus.good] * TOKENS
    found = run.ratios(corpus, {"many": run.pass_of(made.verify, corpus.tokens), "one": run.pass_of(made.verify, one)})
    details = {"one_token_over_and_over": found["one"][0], "bare_us": found["bare"][1]}
    beside = run.peer_ratios(calls, "RS256", lambda theirs: theirs.tokens)
    return [Row(NAME, found["many"][0], BUDGET, microseconds=found["many"][1], peers=beside, details=details)]


def _time_passes(corpus: Corpus) -> list[Check]:
    """A remembered token ends with its own time."""
    now = [_issued(corpus)]
    made = verifier(entra_policy(), remember=TOKENS, clock=lambda: now[0])
    seen = [verdict(made, corpus.good), verdict(made, corpus.good)]
    now[0] += 2 * LIFETIME
    seen.append(verdict(made, corpus.good))
    given = ("at first sight", "remembered", "remembered, its time over")
    expected = (ACCEPTED, ACCEPTED, "token_expired")
    return [Check(NAME, "tokenward", *case) for case in zip(given, expected, seen, strict=True)]


def _issued(corpus: Corpus) -> float:
    claims = json.loads(unbase64url(corpus.good.split(".")[1]))
    return float(claims["iat"])
