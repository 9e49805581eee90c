"""A thousand issuers in one policy: the rules of a token, and its key, are found as fast as with one."""

from __future__ import annotations

import time

from benchmarks.checks import ACCEPTED, codes_of
from benchmarks.report import Row
from benchmarks.run import Run
from benchmarks.subject import verdict, verifier
from benchmarks.tokens import KEYS_IN_SET, LIFETIME, TOKENS, entra_corpus, jwks_of, mint, rsa_signers, with_claims
from tokenward import Issuer, Policy

NAME = "1,000 issuers against 1"
BUDGET = 1.1
ISSUERS = 1000


def thousand_issuers(run: Run) -> list[Row]:
    """Verified in full: tokens of one issuer for the policy of one, tokens of 128 issuers for the policy of 1,000."""
    one, thousand = verifier(_policy(1), remember=0), verifier(_policy(ISSUERS), remember=0)
    few, spread = [_token(0, number) for number in range(TOKENS)], [_token(number * 7, number) for number in range(TOKENS)]
    expected = {
        "the first issuer": (few[0], ACCEPTED),
        "the last issuer": (_token(ISSUERS - 1, 0), ACCEPTED),
        "a tampered token": (with_claims(spread[-1], sub="someone else"), "signature_invalid"),
        "an expired token": (_token(3, 0, age=2 * LIFETIME), "token_expired"),
        "an issuer beyond": (_token(ISSUERS, 0), "issuer_not_trusted"),
    }
    run.check(codes_of(NAME, lambda token: verdict(thousand, token), expected))
    run.check(codes_of(NAME, lambda token: verdict(one, token), {"one issuer": (few[0], ACCEPTED)}))
    if not run.timing:
        return []
    found = run.ratios(entra_corpus(), {"one": run.pass_of(one.verify, few), "thousand": run.pass_of(thousand.verify, spread)})
    details = {"one_us": found["one"][1], "thousand_us": found["thousand"][1], "bare_us": found["bare"][1]}
    ratio = found["thousand"][0] / found["one"][0]
    return [
        Row(
            NAME,
            ratio,
            BUDGET,
            unit="times",
            microseconds=found["thousand"][1],
            details=details,
            note="ratio of the two, not to the bare check",
        )
    ]


def _name(issuer: int) -> str:
    return f"https://idp-{issuer:04d}.example/"


def _policy(count: int) -> Policy:
    jwks = jwks_of(tuple(rsa_signers()[:1]))
    jwks["keys"][0].pop("issuer")
    return Policy([Issuer(_name(number), audiences=["jobs"], jwks=jwks) for number in range(count)])


def _token(issuer: int, number: int, age: int = 0) -> str:
    now = int(time.time()) - age
    claims = {"iss": _name(issuer), "aud": "jobs", "sub": f"user {number}", "iat": now, "nbf": now, "exp": now + LIFETIME}
    return mint(rsa_signers()[0], claims | {"padding": "x" * 128 * KEYS_IN_SET})
