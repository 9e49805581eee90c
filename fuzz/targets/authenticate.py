"""`authenticate` with any Authorization values: an identity that the judges grant, too, or an error of ours that tells no secret.

An input is the values of one request, with SEPARATOR between them.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from fuzz.changes import CHANGES
from fuzz.differential import verdict_of
from fuzz.judges import judges
from fuzz.keys import b64
from fuzz.targets import Broken, Target, require
from fuzz.texts import ANY, Members, compact, members_of, replaced, without, written
from fuzz.tokens import CLAIM_NAMES, HEADER_NAMES, make
from fuzz.world import believed, joined, verifier, verifier_without_keys
from tokenward import AuthenticationError, Verifier
from tokenward.challenge import answer
from tokenward.diagnostics import event_fields
from tokenward.errors import CODES
from tokenward.token.strict import decode_base64url, parse_object

SEPARATOR = b"\x1e"
SECRET = 24
"""Bytes of a run that a text of ours could not share with an input by chance."""
_VERIFIER, _WITHOUT_KEYS, _JUDGES = verifier(), verifier_without_keys(), judges()


def check(data: bytes) -> None:
    """As bytes, as text, and where no key can be had; raises if anything but a verdict comes, or a verdict that is wrong."""
    values = data.split(SEPARATOR) if data else []
    texts = [value.decode("latin-1") for value in values]
    outcome = _outcome(_VERIFIER, values)
    require(outcome == _outcome(_VERIFIER, texts), "bytes and text have one verdict")
    without_keys = _outcome(_WITHOUT_KEYS, values)
    require(without_keys != "accepted", "nobody is accepted without keys")
    require(outcome != "accepted" or without_keys == "keys_unavailable", "a good token is refused for nothing but the keys")
    require(outcome != "keys_unavailable", "keys in hand are there")
    if outcome == "accepted":
        _require_judges_to_agree(_token_of(values[0]))


def _outcome(subject: Verifier, values: list[Any]) -> str:
    try:
        subject.authenticate(values)
    except AuthenticationError as error:
        require(CODES.get(error.code) is type(error), "the code is of the closed set")
        _require_discretion(error, values)
        return error.code
    return "accepted"


def _require_discretion(error: AuthenticationError, values: list[Any]) -> None:
    """Nothing of the request in the error's text or the answer, and no part of a token in the log."""
    given = b"\n".join(value if isinstance(value, bytes) else value.encode("latin-1") for value in values)
    shown = answer(error, "jobs")
    require(shown.status in {400, 401, 403, 503}, "the status is one of the four")
    for text in (str(error), repr(error), error.hint, *(value for _, value in shown.headers), shown.body.decode()):
        require(not _shares_a_run(text.encode(), given), "an error tells nothing of the request")
    logged = json.dumps(event_fields(error), default=str).encode()
    for value in given.split(b"\n"):
        for segment in _token_of(value).split(b"."):
            require(
                len(segment) < 2 * SECRET or not _shares_a_run(logged, segment, 2 * SECRET), "the log holds no part of a token"
            )


def _shares_a_run(text: bytes, given: bytes, length: int = SECRET) -> bool:
    return any(given[at : at + length] in text for at in range(0, len(given) - length + 1, length // 2))


def _require_judges_to_agree(token: bytes) -> None:
    ours = verdict_of(_VERIFIER, token)
    require(not isinstance(ours, str), "verify and authenticate agree")
    for judge in _JUDGES:
        theirs = judge.judge(token)
        if isinstance(theirs, str):
            raise Broken(f"accepted, though {judge.name} refuses: {theirs}")
        require(theirs == ours, f"the claims are what {judge.name} reads")


def _token_of(value: bytes) -> bytes:
    return value.strip(b" \t")[7:].strip(b" ")


# -- changes -------------------------------------------------------------------------------------------------------------


def change(data: bytes, rng: Random) -> bytes:
    """Another token, the same with a document of it changed and signed anew, another text of it, or other values around it."""
    way = rng.randrange(8)
    if way == 0:
        return b"Bearer " + make(rng)[1][-1]
    if way == 1:
        return _around(data, rng)
    value, _, rest = data.partition(SEPARATOR)
    token = _token_of(value)
    changed = _resigned(token, rng) if way < 6 else None
    if changed is None:
        changed = rng.choice(CHANGES)(token, rng) if _is_signed(token) else token + bytes([rng.randrange(256)])
    return value[: len(value) - len(token)] + changed + (SEPARATOR + rest if rest else b"")


def _around(data: bytes, rng: Random) -> bytes:
    words = (
        b"Bearer ",
        b"bearer",
        b"BEARER\t",
        b"Basic ",
        b"DPoP ",
        b" ",
        b",",
        b", Bearer ",
        b"\t",
        SEPARATOR,
        b"Bearer" + SEPARATOR,
    )
    place = rng.choice([0, len(data), rng.randrange(len(data) + 1)])
    return data[:place] + rng.choice(words) + data[place:]


def _resigned(token: bytes, rng: Random) -> bytes | None:
    """With its header or claims changed; None if they cannot be read."""
    try:
        header, claims = (_members(part) for part in token.split(b".")[:2])
    except ValueError:
        return None
    if rng.random() < 0.4:
        header = _changed(header, HEADER_NAMES, rng)
    if rng.random() < 0.7:
        claims = _changed(claims, CLAIM_NAMES, rng)
    key = rng.choice([key for one in believed() for key in one.published if key.jwk["kty"] != "RSA"])
    if rng.random() < 0.7:
        header = replaced(
            replaced(header, "kid", json.dumps(key.jwk["kid"])),
            "alg",
            json.dumps({"EC": "ES256", "OKP": "EdDSA"}[key.jwk["kty"]]),
        )
    texts = [written(members, rng) if rng.random() < 0.2 else compact(members) for members in (header, claims)]
    return joined(texts[0], texts[1], "", key.private)


def _members(segment: bytes) -> Members:
    return members_of(parse_object(decode_base64url(segment)))


def _changed(members: Members, names: tuple[str, ...], rng: Random) -> Members:
    name = rng.choice([*names, *(name for name, _ in members)])
    return without(members, name) if rng.random() < 0.2 else replaced(members, name, rng.choice(ANY))


def _is_signed(token: bytes) -> bool:
    try:
        return token.count(b".") == 2 and all(decode_base64url(part) for part in token.split(b"."))
    except ValueError:
        return False


def seeds() -> dict[str, bytes]:
    """A few good ones and one of each odd kind; the changes make the rest."""
    rng = Random(6750)
    tokens = {f"token-{number:02}": b"Bearer " + make(rng)[1][-1] for number in range(24)}
    claims = b64(b"{}").encode()
    return tokens | {
        "nothing": b"Bearer",
        "basic": b"Basic dXNlcjpwYXNzd29yZA==",
        "two-values": b"Bearer a.b.c" + SEPARATOR + b"Bearer a.b.c",
        "joined": b"Bearer a.b.c, Bearer a.b.c",
        "none": b"Bearer " + b64(b'{"alg":"none"}').encode() + b"." + claims + b".",
        "jwe": b"Bearer " + b64(b'{"alg":"dir","enc":"A128GCM"}').encode() + b"..a.b.c",
        "opaque": b"Bearer dapi" + b"0" * 8,
    }


TARGET = Target("authenticate", check, change, 6000)
