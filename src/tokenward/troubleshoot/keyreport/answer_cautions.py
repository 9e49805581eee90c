"""What is wrong with how documents are served: addresses, headers, sizes, clocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from tokenward.issuer_name import is_template
from tokenward.keys.port import MAX_BODY_BYTES, FetchFailed
from tokenward.keys.rhythm import Rhythm
from tokenward.redaction import shown
from tokenward.troubleshoot.keyreport.caution import Caution, caution
from tokenward.troubleshoot.keyreport.key_cautions import NEAR
from tokenward.troubleshoot.keyreport.look import Asked, Look
from tokenward.troubleshoot.surroundings.clock import differs, in_words, moment_of

REDIRECTS = frozenset({300, 301, 302, 303, 307, 308})
RHYTHM = Rhythm()

_JSON = re.compile(r"application/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)", re.IGNORECASE)


def answer_cautions(look: Look) -> list[Caution]:
    """Every flaw of the two answers."""
    answers = [answer for answer in (look.discovery, look.jwks) if answer is not None]
    found = [*_discovered(look), *_of_addresses(answers), *_of_types(answers), *_of_sizes(answers)]
    return [*found, *_of_caching(look), *_of_clocks(answers)]


def skew_of(answer: Asked) -> float | None:
    """Seconds that this machine's clock is ahead of the server's; None if there is no answer, or its Date says nothing."""
    return None if answer.response is None else moment_of(answer.response.headers, answer.asked_at, answer.answered_at).skew


def issuer_said(look: Look) -> object:
    """The `issuer` of the discovery document, which may be anything."""
    return ((look.discovery.document() if look.discovery else None) or {}).get("issuer")


def _discovered(look: Look) -> Iterator[Caution]:
    said = issuer_said(look)
    if look.failure is not None and look.failure.kind == "metadata" and look.issuer is not None and said != look.issuer:
        yield caution("issuer_differs", _difference(look.issuer, said))
    elif look.place.issuer is None and look.discovery and isinstance(said, str) and _own_issuer(look.discovery.url) != said:
        named = shown(said)
        yield caution("issuer_elsewhere", f"{named} in the document at {shown(look.discovery.url)}")
    if look.discovery is not None and look.jwks is not None:
        hosts = urlsplit(look.discovery.url).hostname, urlsplit(look.jwks.url).hostname
        if hosts[0] != hosts[1]:
            yield caution("jwks_uri_elsewhere", f"{shown(hosts[1])}, not {shown(hosts[0])}")


def _own_issuer(url: str) -> str:
    return url.partition("/.well-known/")[0]


def _difference(expected: str, said: object) -> str:
    """In what the two differ, where it is what people stumble over."""
    told = f"{shown(said)} in place of {shown(expected)}"
    if not isinstance(said, str):
        return "no issuer at all"
    if said.rstrip("/") == expected.rstrip("/"):
        return f"{told}: only the slash at the end differs"
    if is_template(said):
        return f"{told}: the document of many tenants; give the tenant's own, or a template with tenants"
    return f"{told}: only upper and lower case differ" if said.lower() == expected.lower() else told


def _of_addresses(answers: Sequence[Asked]) -> Iterator[Caution]:
    yield from _at("http_address", [(answer, "") for answer in answers if answer.url.startswith("http://")])
    answered = [(answer, answer.response.status) for answer in answers if answer.response is not None]
    yield from _at("redirect", [(answer, f"HTTP {status}") for answer, status in answered if status in REDIRECTS])


def _of_types(answers: Sequence[Asked]) -> Iterator[Caution]:
    good = [answer for answer in answers if answer.response is not None and answer.response.status == 200]
    given = [(answer, answer.response.headers.get("content-type", "")) for answer in good if answer.response is not None]
    yield from _at("content_type", [(answer, str(shown(said or "none"))) for answer, said in given if not _JSON.match(said)])


def _of_sizes(answers: Sequence[Asked]) -> Iterator[Caution]:
    sized = [(answer, len(answer.response.body)) for answer in answers if answer.response is not None]
    near = [(answer, f"{size} of {MAX_BODY_BYTES} bytes") for answer, size in sized if size >= NEAR * MAX_BODY_BYTES]
    refused = [answer for answer in answers if isinstance(answer.outcome, FetchFailed) and answer.outcome.kind == "too_large"]
    yield from _at("size_near_bound", [*near, *((answer, f"more than {MAX_BODY_BYTES} bytes") for answer in refused)])


def _at(name: str, seen: Sequence[tuple[Asked, str]]) -> Iterator[Caution]:
    """One caution for both documents."""
    if seen:
        yield caution(name, "; ".join(f"{what} from {shown(answer.url)}".removeprefix(" from ") for answer, what in seen))


def _of_caching(look: Look) -> Iterator[Caution]:
    if look.loaded is None or look.jwks is None or look.jwks.response is None:
        return
    said = look.jwks.response.headers.get("cache-control", "")
    max_age, seen = look.loaded.max_age, str(shown(said))
    if re.search(r"\bno-(?:store|cache)\b", said, re.IGNORECASE) or (max_age is not None and max_age < RHYTHM.refresh_floor):
        yield caution("cache_too_short", seen)
    elif max_age is None:
        yield caution("cache_not_said", seen or "no Cache-Control")
    elif max_age > RHYTHM.max_stale:
        yield caution("cache_too_long", seen)


def _of_clocks(answers: Sequence[Asked]) -> Iterator[Caution]:
    """Of the last answer that says so: one clock is enough."""
    skews = [skew for answer in answers if (skew := skew_of(answer)) is not None]
    if skews and differs(skews[-1]):
        yield caution("clock_skew", in_words(skews[-1], "the issuer"))
