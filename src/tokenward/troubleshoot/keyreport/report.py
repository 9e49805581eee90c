"""The report on an issuer's keys, for people and for programs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from tokenward.issuer import Issuer
from tokenward.keys.fetch import HttpxFetch
from tokenward.keys.location import JwksUri
from tokenward.keys.port import Fetch, FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.redaction import shown
from tokenward.troubleshoot.keyreport.answer_cautions import answer_cautions, skew_of
from tokenward.troubleshoot.keyreport.caution import WEIGHTS, Caution
from tokenward.troubleshoot.keyreport.key_cautions import key_cautions
from tokenward.troubleshoot.keyreport.key_row import Judged, KeyRow, judge_keys
from tokenward.troubleshoot.keyreport.look import Asked, Clock, Look, look
from tokenward.troubleshoot.keyreport.next_step import Verdict, next_step, verdict_of
from tokenward.troubleshoot.keyreport.place import Place, place_of


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """How one document came; texts are escaped and bounded.

    problem  why it did not come, or was refused as an answer; empty if it came
    size     of the body, in bytes
    seconds  that it took
    skew     seconds that this machine's clock is ahead of the server's (negative: behind); None if it does not say
    """

    url: str
    status: int | None
    problem: str
    content_type: str | None
    cache_control: str | None
    size: int | None
    seconds: float
    skew: float | None


@dataclass(frozen=True, slots=True)
class KeyReport:
    """What an issuer publishes, and what a verifier makes of it.

    at             epoch seconds
    verdict        usable: a verifier has keys; refused: it has none for what is published; unreachable: it could not be asked
    failure        the verifier's own word for why it has none, such as "metadata: ..."
    issuer         the `iss` of the tokens, as it was given or, if only an address was, as the document says
    max_age        seconds for which the keys may be kept, as the server says
    refresh_after  seconds after which tokenward fetches them again, +- a tenth
    cautions       what breaks verifiers, the gravest first
    next           what to do; empty if there is nothing
    """

    at: float
    verdict: Verdict
    failure: str | None
    issuer: str | None
    discovery: DocumentFacts | None
    jwks: DocumentFacts | None
    max_age: float | None
    refresh_after: float | None
    keys: tuple[KeyRow, ...]
    cautions: tuple[Caution, ...]
    next: str

    def to_json(self) -> dict[str, object]:
        """The same as JSON values; each key has `usable` and `why` besides its fields."""
        keys = [{**asdict(row), "usable": row.usable, "why": row.why} for row in self.keys]
        return {**asdict(self), "keys": keys}


def keys_of(
    issuer: str | Issuer | None,
    *,
    jwks_uri: str | None = None,
    fetch: Fetch | None = None,
    clock: Clock = time.time,
    monotonic: Clock = time.monotonic,
) -> KeyReport:
    """Fetch what a verifier would fetch of this issuer, and say what it makes of each key. No token is judged.

    issuer     the `iss` of the tokens, the address of a discovery document, or an Issuer of a policy
    jwks_uri   the address of the keys, in place of discovery; `issuer` may then be None
    fetch      who makes the requests (`tokenward.keys.port.Fetch`); by default HttpxFetch
    clock      epoch seconds; monotonic is for the time limit of ten seconds

    Of an Issuer of Entra both versions are believed, whatever the policy's `versions`: a key that is bound to the 2.0 form of the
    issuer reads usable here, and a policy with versions=["1.0"] alone refuses the tokens that it signed.

    Raises PolicyError if that is no place where keys may be. An issuer that fails is a report, too.
    """
    seen = look(place_of(issuer, jwks_uri), fetch or HttpxFetch(), clock=clock, monotonic=monotonic)
    return report_of(seen, clock())


def keys_in(document: bytes, name: str, *, clock: Clock = time.time) -> KeyReport:
    """The same for a key set that is at hand, such as one that is to be published. Nothing is said of how it is served.

    name  what the document is called in the report; fit for a terminal
    """
    answer = FetchResponse(200, _AS_SERVED, document)
    seen = look(Place(JwksUri(_NOWHERE), None), lambda _: answer, clock=clock, monotonic=time.monotonic)
    facts = DocumentFacts(name, None, "", None, None, len(document), 0.0, None)
    return replace(report_of(seen, clock()), jwks=facts, max_age=None, refresh_after=None)


_NOWHERE = "https://file.invalid/"
_AS_SERVED = {"content-type": "application/json", "cache-control": "max-age=3600"}
"""Of a good answer, so that only the keys are judged."""


def report_of(seen: Look, now: float) -> KeyReport:
    """The report on one look; `now` in epoch seconds."""
    judged = _judged(seen)
    rows = tuple(one.row for one in judged)
    verdict = verdict_of(seen.failure, any_usable=any(row.usable for row in rows))
    found = [*key_cautions(judged, seen.place.algorithms, now), *answer_cautions(seen)]
    max_age = seen.loaded.max_age if seen.loaded else None
    return KeyReport(
        at=now,
        verdict=verdict,
        failure=None if seen.failure is None else str(shown(str(seen.failure))),
        issuer=None if seen.issuer is None else str(shown(seen.issuer)),
        discovery=_facts(seen.discovery),
        jwks=_facts(seen.jwks),
        max_age=max_age,
        refresh_after=_refresh_after(max_age) if seen.loaded and not seen.failure else None,
        keys=rows,
        cautions=tuple(sorted(found, key=lambda one: WEIGHTS.index(one.weight))),
        next=next_step(seen.failure, verdict),
    )


def _judged(seen: Look) -> Sequence[Judged]:
    document = seen.jwks.document() if seen.jwks else None
    cloud = seen.place.cloud or (seen.loaded.cloud_instance_name if seen.loaded else None)
    return judge_keys(document, issuer=seen.issuer, cloud=cloud, policy=seen.place.policy) if document is not None else ()


def _refresh_after(max_age: float | None) -> float:
    """As `keys.freshness` has it, but for the jitter."""
    rhythm = Rhythm()
    return rhythm.refresh_interval if max_age is None else min(max(max_age, rhythm.refresh_floor), rhythm.refresh_interval)


def _facts(asked: Asked | None) -> DocumentFacts | None:
    if asked is None:
        return None
    answer = asked.response
    headers = {} if answer is None else answer.headers
    return DocumentFacts(
        url=str(shown(asked.url)),
        status=None if answer is None else answer.status,
        problem="" if answer is not None else str(shown(str(asked.outcome))),
        content_type=_header(headers.get("content-type")),
        cache_control=_header(headers.get("cache-control")),
        size=None if answer is None else len(answer.body),
        seconds=round(asked.seconds, 3),
        skew=skew_of(asked),
    )


def _header(value: str | None) -> str | None:
    return None if value is None else str(shown(value))
