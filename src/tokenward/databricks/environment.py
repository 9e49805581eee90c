"""Secrets, and where they are, from environment variables."""

from __future__ import annotations

import os

from tokenward import validation
from tokenward.errors import PolicyError


def set_in_environment(field: str, name: str, *, example: str, fix: str) -> str:
    """What an environment variable holds now, without white space around it. Raises PolicyError.

    field    the argument that it is for; `example` is a variable's name for it, and `fix` what to set
    """
    value = os.environ.get(validation.text(field, name, f"'{example}'"), "").strip()
    if not value:
        raise PolicyError(field, f"the environment variable {name} is not set, or empty", fix)
    return value
