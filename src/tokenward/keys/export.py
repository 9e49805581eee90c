"""Keys as text: what sources hold, written down by one process, and read by another one of the same policy as it starts.

    {"version": 1, "exported_at": 1800000060.5, "sources": [{"source": "https://...", "issuers": ["https://..."],
     "fetched_at": 1800000000, "max_age": null, "cloud_instance_name": null, "serves_without_kid": false,
     "keys": [{"kid": ...}]}]}

Times are epoch seconds. A source is the same one if its address is, and the issuers that its discovery document may be of.
Nothing in the document is signed: whoever can change it decides whom the reader believes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tokenward.keys.address import require_safe_url
from tokenward.keys.events import KeysSeeded, Observer
from tokenward.keys.location import Discovery, JwksUri, Remote
from tokenward.keys.port import MAX_BODY_BYTES
from tokenward.keys.public_jwk import public_jwk
from tokenward.keys.source import KeySource, tell
from tokenward.token.strict import parse_unique_object

VERSION = 1
MAX_DOCUMENT_BYTES = 4 * MAX_BODY_BYTES
"""Four of the largest sets that are fetched. Entra's are 3 KB without their certificates."""
MAX_PARTS = MAX_DOCUMENT_BYTES // 16
"""How many brackets and commas a document may have: a key has 3 to 8 of them in 100 to 500 bytes."""
MAX_SECONDS = 2**53
"""The largest whole number that every reader of JSON takes for what it is (RFC 8259 section 6)."""


@dataclass(frozen=True, slots=True)
class Seed:
    """One source's keys as a document has them; `document` is their JWKS."""

    location: Remote
    as_of: float
    max_age: float | None
    cloud_instance_name: str | None
    is_sole: bool
    document: bytes


@dataclass(frozen=True, slots=True)
class Seeds:
    """A document that was read. `exported_at` is the writer's clock then."""

    exported_at: float
    seeds: tuple[Seed, ...]


# -- writing -----------------------------------------------------------------------------------------------------------


def written(sources: Iterable[KeySource], clock: Callable[[], float]) -> str:
    """The document of what these sources hold; one without keys that may serve is not in it."""
    entries = [entry for source in sources if (entry := _entry(source)) is not None]
    return json.dumps({"version": VERSION, "exported_at": clock(), "sources": entries}, indent=1)


def _entry(source: KeySource) -> dict[str, object] | None:
    saved = source.saved()
    if saved is None:
        return None
    return {
        **_named(source.location),
        "fetched_at": math.floor(saved.fetched_at),  # down, so that what is cut off never makes keys younger
        "max_age": None if saved.max_age is None else math.floor(saved.max_age),
        "cloud_instance_name": saved.cloud_instance_name,
        "serves_without_kid": saved.is_sole,
        "keys": [public_jwk(key) for key in saved.keys],
    }


def _named(location: Remote) -> dict[str, object]:
    named: dict[str, object] = {"source": location.url}
    return named | {"issuers": sorted(location.issuers)} if isinstance(location, Discovery) else named


# -- reading -----------------------------------------------------------------------------------------------------------


def read(document: str | bytes) -> Seeds:
    """Raises ValueError, whose message holds nothing of the document."""
    if len(document) > MAX_DOCUMENT_BYTES:
        raise ValueError("it is larger than any export should be")
    whole = parse_unique_object(_octets_of(document), most=MAX_PARTS)
    if type(whole.get("version")) is not int or whole["version"] != VERSION:
        raise ValueError("it is of another version, or no export of keys at all")
    exported_at, listed = _seconds(whole.get("exported_at")), whole.get("sources")
    if not isinstance(listed, list):
        raise ValueError("its sources are no list")
    seeds = tuple(_seed(entry) for entry in listed)
    if len({seed.location for seed in seeds}) != len(seeds):
        raise ValueError("it holds a source twice")
    return Seeds(exported_at, seeds)


def _octets_of(document: str | bytes) -> bytes:
    try:
        return document.encode() if isinstance(document, str) else document
    except UnicodeEncodeError:
        raise ValueError("not JSON") from None


def _seed(entry: object) -> Seed:
    if not isinstance(entry, dict):
        raise ValueError("one of its sources is no object")
    cloud = entry.get("cloud_instance_name")
    if not (cloud is None or isinstance(cloud, str)):
        raise ValueError("one of its clouds is no text")
    document, is_sole = json.dumps({"keys": entry.get("keys")}).encode(), entry.get("serves_without_kid") is True
    as_of, max_age = _seconds(entry.get("fetched_at")), entry.get("max_age")
    return Seed(_location(entry), as_of, None if max_age is None else _seconds(max_age), cloud, is_sole, document)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < MAX_SECONDS:
        raise ValueError("one of its times is none")
    return float(value)


def _location(entry: Mapping[str, object]) -> Remote:
    url, issuers = entry.get("source"), entry.get("issuers")
    if not isinstance(url, str):
        raise ValueError("one of its addresses is no text")
    require_safe_url(url)  # it is logged
    if issuers is None:
        return JwksUri(url)
    if not isinstance(issuers, list) or not all(isinstance(issuer, str) for issuer in issuers):
        raise ValueError("the issuers of one of its sources are no list of texts")
    return Discovery(url, frozenset(issuers))


# -- sowing ------------------------------------------------------------------------------------------------------------


def sow(document: str | bytes, sources: Mapping[KeySource, bool], now: float, observer: Observer | None) -> None:
    """Begin with the keys of a document. Whatever is wrong with it is told as an event, and nothing is raised.

    sources   every source of the policy, and whether a rule names the cloud of its keys
    now       the epoch clock. A document from the future is ignored as a whole: by that clock its keys would be younger than
              they were when it was written
    """
    try:
        seeds = _not_from_the_future(read(document), now)
    except ValueError as exc:
        for source in sources:
            source.ignore_seed(str(exc))
        return
    by_location = {seed.location: seed for seed in seeds}
    for source, needs_cloud in sources.items():
        seed = by_location.pop(source.location, None)
        if seed is None:
            source.ignore_seed("it is not in the document")
        else:
            cloud, is_sole = seed.cloud_instance_name, seed.is_sole
            source.seed(seed.document, seed.as_of, cloud, max_age=seed.max_age, needs_cloud=needs_cloud, is_sole=is_sole)
    for seed in by_location.values():
        tell(observer, KeysSeeded(seed.location.name, 0, now - seed.as_of, "the policy has no such source of keys"))


def _not_from_the_future(seeds: Seeds, now: float) -> tuple[Seed, ...]:
    if now < seeds.exported_at:
        raise ValueError("it is from the future")
    return seeds.seeds
