"""What a stranger's nonsense costs: refused by the cheap gates, before any key is asked."""

from __future__ import annotations

import inspect
import random
import statistics

from benchmarks.checks import codes_of
from benchmarks.report import Row
from benchmarks.run import Run
from benchmarks.subject import entra_policy, verdict, verifier
from benchmarks.timing import Pass, async_refusing, refusing
from benchmarks.tokens import TOKENS, V1_ISSUER, V2_ISSUER, base64url, entra_corpus, mint, rsa_signers, v2_user, with_claims

NAME = "refusing garbage"
BUDGET = 0.3
FOREIGN_TENANT = "9f1c2d3e-1111-4222-8333-444455556666"


def refusing_garbage(run: Run) -> list[Row]:
    """Each kind on its own; the worst is held to the budget. The peers get the same kinds."""
    made, kinds = verifier(entra_policy(), remember=TOKENS), _kinds()
    made.verify(entra_corpus().good)  # a service in use: it has seen the header of its issuer's tokens
    for kind, (code, tokens) in kinds.items():
        run.check(
            codes_of(NAME, lambda token: verdict(made, token), {kind: (tokens[0], code), f"{kind} (last)": (tokens[-1], code)})
        )
    calls = run.peers(NAME, "RS256")
    if not run.timing:
        return []
    found = run.ratios(entra_corpus(), {kind: run.pass_of(refusing(made.verify), tokens) for kind, (_, tokens) in kinds.items()})
    bare_us = found.pop("bare")[1]
    ratios = {kind: ratio for kind, (ratio, _) in found.items()}
    worst = max(ratios, key=lambda kind: ratios[kind])
    details = {"kinds": ratios, "median": statistics.median(ratios.values()), "worst_kind": worst, "bare_us": bare_us}
    note = f"worst of {len(kinds)} kinds: {worst}; median {details['median']:.2f}"
    peers = {name: call if isinstance(call, str) else _worst(run, call, kinds) for name, call in calls.items()}
    return [Row(NAME, ratios[worst], BUDGET, microseconds=found[worst][1], peers=peers, details=details, note=note)]


def _kinds() -> dict[str, tuple[str, list[str]]]:
    """Kind -> the code it must be refused with, and tokens of it."""
    corpus, noise = entra_corpus(), random.Random(20)  # the same noise every run
    signer, now = rsa_signers()[0], 2_000_000_000
    text = [base64url(noise.randbytes(len(corpus.good) * 3 // 4)) for _ in range(TOKENS)]
    return {
        "random text": ("malformed_token", text),
        "three random parts": ("malformed_token", [f"{part[:80]}.{part[80:1500]}.{part[1500:]}" for part in text]),
        "16 KiB of one letter": ("malformed_token", ["A" * 16384] * TOKENS),
        "17 KiB": ("token_too_large", ["A" * 17 * 1024] * TOKENS),
        "cut short": ("malformed_token", [token[:700] for token in corpus.tokens]),
        "alg none": ("algorithm_not_allowed", [_relabelled(token, "none") for token in corpus.tokens]),
        "alg HS256": ("algorithm_not_allowed", [_relabelled(token, "HS256") for token in corpus.tokens]),
        "another issuer": ("issuer_not_trusted", [with_claims(token, iss="https://idp.example/") for token in corpus.tokens]),
        "another tenant": ("tenant_not_allowed", [_foreign(token) for token in corpus.tokens]),
        "iss and tid apart": ("tenant_not_allowed", [with_claims(token, tid=FOREIGN_TENANT) for token in corpus.tokens]),
        "an unknown header": ("issuer_not_trusted", [
            mint(signer, v2_user(number, now) | {"iss": V1_ISSUER + "x"}, typ=f"JWT{number}") for number in range(TOKENS)
        ]),
    }  # fmt: skip


def _relabelled(token: str, algorithm: str) -> str:
    _, claims, signature = token.split(".")
    header = base64url(b'{"typ":"JWT","alg":"%s","kid":"k"}' % algorithm.encode())
    return f"{header}.{claims}.{signature}"


def _foreign(token: str) -> str:
    return with_claims(token, iss=V2_ISSUER.replace(V2_ISSUER.split("/")[3], FOREIGN_TENANT), tid=FOREIGN_TENANT)


def _worst(run: Run, call: object, kinds: dict[str, tuple[str, list[str]]]) -> float:
    """A peer's worst kind."""
    wrapped = async_refusing(call) if inspect.iscoroutinefunction(call) else refusing(call)  # type: ignore[arg-type]
    passes: dict[str, Pass] = {kind: run.pass_of(wrapped, tokens) for kind, (_, tokens) in kinds.items()}
    found = run.ratios(entra_corpus(), passes)
    return max(ratio for kind, (ratio, _) in found.items() if kind != "bare")
