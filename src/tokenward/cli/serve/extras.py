"""What must be installed beside the package itself, and how."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

from tokenward.cli.outcome import CommandFailed, Exit

EXTRAS: Mapping[str, tuple[str, ...]] = MappingProxyType({"gateway": ("uvicorn", "httptools", "aiohttp"), "redis": ("redis",)})
"""Each extra's packages, as they are imported."""
INSTALLED: Mapping[str, str] = MappingProxyType({"gateway": "'uvicorn[standard]' 'aiohttp>=3.14'", "redis": "'redis>=5'"})
"""The same, as pip knows them."""


def require(extra: str) -> None:
    """Raise CommandFailed if a package of an extra is missing."""
    for package in EXTRAS[extra]:
        if not _is_there(package):
            problem = f"The package {package} is not installed."
            raise CommandFailed(Exit.USAGE, problem, f"Install what the extra {extra} holds: pip install {INSTALLED[extra]}")


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # it is being imported, or was taken out by hand
        return False
