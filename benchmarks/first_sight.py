"""Tokens that were never seen before: every check of the walk, on distinct tokens of the same key."""

from __future__ import annotations

from benchmarks.checks import codes_of, the_three
from benchmarks.report import Row
from benchmarks.run import Run
from benchmarks.subject import entra_policy, static_policy, verdict, verifier
from benchmarks.tokens import TOKENS, Algorithm, Corpus, entra_corpus, es256_corpus
from tokenward import Policy

BUDGET: dict[Algorithm, float] = {"RS256": 1.6, "ES256": 1.3}


def first_sight_rs256(run: Run) -> list[Row]:
    """An Entra policy, v2 and v1 tokens, with and without memory; the peers on the v2 tokens."""
    return [
        *_rows(run, "first sight, RS256, Entra v2", entra_policy(), entra_corpus("2.0"), peers=True),
        *_rows(run, "first sight, RS256, Entra v1", entra_policy(), entra_corpus("1.0"), peers=False),
    ]


def first_sight_es256(run: Run) -> list[Row]:
    corpus = es256_corpus()
    return _rows(run, "first sight, ES256", static_policy(corpus), corpus, peers=True)


def _rows(run: Run, name: str, policy: Policy, corpus: Corpus, *, peers: bool) -> list[Row]:
    """The memory of `remembering` holds half of the tokens, so it writes and evicts for each, and never recalls one."""
    forgetful, remembering = verifier(policy, remember=0), verifier(policy, remember=TOKENS // 2)
    for made in (forgetful, remembering):
        run.check(codes_of(name, lambda token, made=made: verdict(made, token), the_three(corpus)))  # type: ignore[misc]
    algorithm = corpus.signer.algorithm
    calls = run.peers(name, algorithm) if peers else {}
    if not run.timing:
        return []
    passes = {"off": run.pass_of(forgetful.verify, corpus.tokens), "on": run.pass_of(remembering.verify, corpus.tokens)}
    found = run.ratios(corpus, passes)
    beside = run.peer_ratios(calls, algorithm, lambda theirs: theirs.tokens)
    details = {"bare_us": found["bare"][1], "token_bytes": len(corpus.good)}
    return [
        Row(name, found["on"][0], BUDGET[algorithm], microseconds=found["on"][1], peers=beside, details=details),
        Row(f"{name}, memory off", found["off"][0], BUDGET[algorithm], microseconds=found["off"][1], details=details),
    ]
