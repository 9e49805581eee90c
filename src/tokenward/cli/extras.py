"""What must be installed beside the package itself, and how: a missing package explains itself, and is no defect."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import NamedTuple

from tokenward.cli.outcome import CommandFailed, Exit


class Extra(NamedTuple):
    """The packages of an extra, as they are imported and as pip knows them."""

    imported: tuple[str, ...]
    installed: str


EXTRAS: Mapping[str, Extra] = MappingProxyType(
    {
        "cli": Extra(("yaml", "rich", "shtab"), "'PyYAML>=6' 'rich>=13' 'shtab>=1.13'"),
        "gateway": Extra(("uvicorn", "httptools", "aiohttp"), "'uvicorn[standard]' 'aiohttp>=3.14'"),
        "inspect": Extra(("uvicorn",), "'uvicorn>=0.30'"),
        "redis": Extra(("redis",), "'redis>=5'"),
    }
)
"""By the names that pyproject.toml has for them."""


def require(extra: str, *packages: str) -> None:
    """Raise CommandFailed if a package of an extra is missing: one of those named, or any of them."""
    for package in packages or EXTRAS[extra].imported:
        if not has(package):
            raise missing(package, extra)


def has(package: str) -> bool:
    """Whether a package could be imported; it is not."""
    try:
        return find_spec(package) is not None
    except ValueError:  # it is being imported, or was taken out by hand
        return False


def missing(package: str, extra: str) -> CommandFailed:
    """What to install for a package that is not there."""
    fix = f"Install what the extra {extra} holds: pip install {EXTRAS[extra].installed}"
    return CommandFailed(Exit.USAGE, f"The package {package} is not installed.", fix)


def explained(error: ModuleNotFoundError) -> CommandFailed | None:
    """The same for an import that failed; None if it is of no extra, and so a defect."""
    package = (error.name or "").split(".")[0]
    extra = next((name for name, extra in EXTRAS.items() if package in extra.imported), None)
    return None if extra is None else missing(package, extra)
