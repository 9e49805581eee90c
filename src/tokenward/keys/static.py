"""Keys from the configuration, which are never fetched."""

from __future__ import annotations

from tokenward.keys.jwk import Key
from tokenward.keys.location import Static
from tokenward.keys.status import KeyStatus


class StaticSource:
    """Keys from the configuration, behind the same few methods as fetched ones."""

    def __init__(self, location: Static) -> None:
        self.name = location.name
        self.cloud_instance_name: str | None = None
        self._keys = location.keyset.keys
        self._count = len(location.keyset)

    def in_hand(self, kid: str | None, wall: float) -> tuple[Key, ...] | None:  # noqa: ARG002  # KeySource's signature
        return self._keys.get(kid, ())

    def age(self) -> float | None:
        return None

    def status(self) -> KeyStatus:
        kids = tuple(kid for kid in self._keys if kid is not None)
        return KeyStatus(source=self.name, keys="static", fetch="none", usable=self._count, kids=kids)
