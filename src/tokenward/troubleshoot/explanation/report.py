"""Report: what an explanation found, for programs, for the command line and for the inspector's page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tokenward.finding import Finding
from tokenward.keys.jwk import PRIVATE_MEMBERS
from tokenward.redaction import MAX_TEXT, shown
from tokenward.troubleshoot.explanation.what import What

Verdict: TypeAlias = Literal["accepted", "refused", "undecided"]
KEPT = frozenset({"alg", "typ", "kid", "x5t"})
"""Members of a header that `redact` lets through: they say which key and algorithm, and nothing of anybody."""
_PRIVATE_KEY = "<private key>"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its finding, the code of a token that fails it, and whether what it saw comes from the token's claims."""

    finding: Finding
    code: str | None = None
    shows_claims: bool = False

    @property
    def verdict(self) -> str:
        """ok, failed or open, which is: could not be judged."""
        return self.finding.verdict

    def to_json(self, *, redact: bool = False) -> dict[str, object]:
        found = self.finding
        seen = described(found.seen) if redact and self.shows_claims else safe(found.seen)
        return found.to_json(expected=safe(found.expected), seen=seen, code=self.code)


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What a token is, every check on it, and what to change. Neither it nor its JSON holds the token or its signature.

    what         what was given
    verdict      what the middleware answers, with these keys at this time: accepted, refused, or undecided, where keys or a
                   policy are missing and nothing else speaks against it
    code         the code of the first check at which the middleware refuses; keys_unavailable where there are no keys
    fingerprint  as in the log of a service that refused the token; None for what is no JWT
    at           the time it was judged for, seconds since the epoch
    issuer       the issuer of the policy by whose rules it was judged
    header,      as decoded, and unverified unless accepted; texts that could be tokens are masked
      claims
    checks       every check, in the order of the middleware's tables, the keys and the policy's own checks last
    notes        what holds and still matters; they quote no claims
    next         the next step, in a sentence
    clock_skew   seconds that this machine's clock is ahead of the issuer's (negative: behind); None if that is not known
    """

    what: What
    verdict: Verdict
    code: str | None
    fingerprint: str | None
    at: float
    issuer: str | None
    header: Mapping[str, object] | None
    claims: Mapping[str, object] | None
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    next: str
    clock_skew: float | None = field(default=None)

    @property
    def accepted(self) -> bool:
        """Whether the middleware lets it in."""
        return self.verdict == "accepted"

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.finding.held is False)

    def to_json(self, redact: bool = False) -> dict[str, object]:
        """The report in JSON values; with `redact`, types and lengths stand for the values of claims."""
        what = {"kind": self.what.kind, "sentence": self.what.sentence, "advice": self.what.advice}
        answer = {"what": what, "verdict": self.verdict, "code": self.code, "fingerprint": self.fingerprint, "at": self.at}
        checks = [check.to_json(redact=redact) for check in self.checks]
        parts = {
            "header": None if self.header is None else shown_header(self.header, redact=redact),
            "claims": None if self.claims is None else shown_claims(self.claims, redact=redact),
        }
        told = {"checks": checks, "notes": list(self.notes), "next": self.next, "clock_skew": self.clock_skew}
        return {**answer, "issuer": self.issuer, **parts, **told}


def shown_header(members: Mapping[str, object], *, redact: bool) -> dict[str, object]:
    """A header's members as they may be seen; with `redact`, only those that say nothing of anybody keep their values."""
    return _shown(members, KEPT if redact else members.keys())


def shown_claims(members: Mapping[str, object], *, redact: bool) -> dict[str, object]:
    """The claims as they may be seen; with `redact`, none keeps its value."""
    return _shown(members, () if redact else members.keys())


def _shown(members: Mapping[str, object], kept: Collection[str]) -> dict[str, object]:
    return {str(safe(name)): safe(value) if name in kept else described(value) for name, value in members.items()}


def safe(value: object) -> object:
    """A JSON value without what could be a token or is a private key (of a JWK); other texts stay whole, if they are no longer
    than texts in a log."""
    if isinstance(value, str):
        looked_at = str(shown(value))
        return value if len(value) <= MAX_TEXT and "<token>" not in looked_at else looked_at
    if isinstance(value, Mapping):
        hidden = PRIVATE_MEMBERS if "kty" in value else ()
        return {str(safe(name)): _PRIVATE_KEY if name in hidden else safe(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [safe(item) for item in value]
    return shown(value)


def described(value: object) -> object:
    """What stands for a value that is not to be seen: its type, and how long it is."""
    if value is None or isinstance(value, bool):
        return "<null>" if value is None else "<boolean>"
    if isinstance(value, (int, float)):
        return "<number>"
    if isinstance(value, str):
        return f"<text of {len(value)} characters>"
    if isinstance(value, (list, tuple)):
        return f"<list of {len(value)}>"
    return f"<object of {len(value)} members>" if isinstance(value, Mapping) else "<value>"
