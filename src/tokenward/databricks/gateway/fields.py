"""The header fields of a judged request, and of its answer: those that go on."""

from __future__ import annotations

from collections.abc import Iterable

from tokenward.databricks.admission.field_names import OF_ANSWER, OF_REQUEST, Fate
from tokenward.databricks.admission.field_values import Fields, has_control, listed
from tokenward.databricks.admission.form import LENGTH

_USUAL = (b"keep-alive", b"close")
"""Values of Connection that name no field."""

_KEPT, _CONNECTION, _LENGTH = Fate.KEPT, Fate.CONNECTION, Fate.LENGTH


def forwarded(fields: Fields, authorization: bytes, host: bytes, extra: Fields = ()) -> list[tuple[bytes, bytes]]:
    """The fields of a judged request as they go on: with this Host, this Authorization, and `extra` as it is.

    What is of the connection, and what Connection names, is removed before, and so is what says who calls and from where.
    Content-Length goes on whatever Connection says, since the body keeps its length.
    """
    kept: list[tuple[bytes, bytes]] = [(b"host", host), (b"authorization", authorization), *extra]
    named: list[bytes] = []
    ours, of_request = len(kept), OF_REQUEST
    for each in fields:
        fate = of_request[each[0]]
        if fate is _KEPT or fate is _LENGTH:
            kept.append(each)
        elif fate is _CONNECTION and each[1] not in _USUAL:
            named.append(each[1])
    return kept if not named else kept[:ours] + _without_named(kept[ours:], named)


def returned(fields: Fields) -> list[tuple[bytes, bytes]]:
    """The fields of an answer as they go on to the caller, without those of the connection, the upstream's cookies, and ours.

    Content-Length goes on only where it says one thing, and is not overruled (RFC 9112 section 6.3). A field with a control
    character is left out: it would end the header, or the answer, in the middle.
    """
    kept: list[tuple[bytes, bytes]] = []
    named: list[bytes] = []
    lengths: set[bytes] = set()
    coded, of_answer = False, OF_ANSWER
    for each in fields:
        fate = of_answer[each[0]]
        if fate is _KEPT:
            kept.append(each)
        elif fate is _LENGTH:
            lengths.add(each[1] if LENGTH.fullmatch(each[1]) else b"")
        elif fate is _CONNECTION:
            if each[1] not in _USUAL:
                named.append(each[1])
        elif fate is Fate.FRAMING:
            coded = True
    if named:
        kept = _without_named(kept, named)
    if len(lengths) == 1 and b"" not in lengths and not coded:
        kept.append((b"content-length", lengths.pop()))
    return _without_controls(kept)


def _without_named(fields: Fields, connection: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """RFC 9110 section 7.6.1: the sender says that these are of this connection alone."""
    names = {name for value in connection for name in listed(value)} - {b"content-length"}
    return [each for each in fields if each[0].lower() not in names]


def _without_controls(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    if not has_control(b"".join([value for _, value in fields])):
        return fields
    return [each for each in fields if not has_control(each[1])]
