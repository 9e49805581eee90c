"""Sets of keys that are not as they should be. Other documents of the issuer stay as they are."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tokenward.testing.faults.answer import Answer
from tokenward.testing.faults.fault import Fault

Jwk = Mapping[str, object]


def only(*jwks: object) -> Fault:
    """A set of nothing but these."""
    return _edited("only", lambda _: list(jwks))


def with_keys(*jwks: object) -> Fault:
    """These in front of the issuer's own, since a verifier that stops at them finds nothing."""
    return _edited("with keys", lambda keys: [*jwks, *keys])


def without_key(kid: str) -> Fault:
    """The set without one of its keys, as of a replica that has not heard of it."""
    return _edited("without a key", lambda keys: [jwk for jwk in keys if jwk.get("kid") != kid])


def key_set(change: Callable[[list[dict[str, Any]]], Sequence[object]]) -> Fault:
    """The set after any change."""
    return _edited("key set", change)


def replicas(*answers: Fault | None) -> Fault:
    """Machines that disagree: each request is answered by the next one, in turn. None is one that is well."""
    turn, lock = itertools.cycle(answers), threading.Lock()

    def _spoil(answer: Answer) -> Answer:
        with lock:
            replica = next(turn)
        return replica.spoil(answer) if replica else answer

    return Fault("replicas", spoil=_spoil)


def _edited(name: str, change: Callable[[list[dict[str, Any]]], Sequence[object]]) -> Fault:
    def _spoil(answer: Answer) -> Answer:
        found = json.loads(answer.body)
        if "keys" not in found:
            return answer
        return replace(answer, body=json.dumps({**found, "keys": list(change(found["keys"]))}).encode())

    return Fault(name, spoil=_spoil)
