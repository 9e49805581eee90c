"""Packages whose parts are imported when they are used first (PEP 562): a command that needs one does not wait for the others."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping


def from_homes(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package: for each name it offers, the module that it comes from, or that it is."""

    def __getattr__(name: str) -> object:  # noqa: N807  # it becomes the package's
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = importlib.import_module(homes[name])
        value: object = home if homes[name] == f"{package}.{name}" else getattr(home, name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807  # as above
        return sorted({*vars(sys.modules[package]), *homes})

    return __getattr__, __dir__
