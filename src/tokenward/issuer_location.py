"""Where an issuer's keys are, by its configuration: given, at an address, or named by a discovery document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenward.errors import PolicyError
from tokenward.keys.keyset import read_keyset
from tokenward.keys.location import Discovery, JwksUri, Location, Static
from tokenward.token.algorithms import ALGORITHMS

WELL_KNOWN = "/.well-known/openid-configuration"
"""OpenID Connect Discovery section 4."""


def location_of(
    issuer: str,
    names: Sequence[str],
    algorithms: Sequence[str],
    *,
    jwks: Mapping[str, Any] | None,
    jwks_uri: str | None,
    discovery_url: str | None,
) -> Location:
    """The one place of an issuer's keys. All arguments were judged on their own; nothing is fetched.

    names  every `iss` of the issuer that is known in advance; several, or none, where it is a template

    Raises PolicyError.
    """
    _require_one_way(jwks=jwks, jwks_uri=jwks_uri, discovery_url=discovery_url)
    if jwks is not None:
        return _static(jwks, algorithms)
    if jwks_uri is not None:
        return JwksUri(jwks_uri)
    return Discovery(discovery_url or _own_address(names), frozenset({issuer, *names}))


def _require_one_way(**ways: object) -> None:
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise PolicyError(given[1], f"{given[0]} is given as well", "Say in one way only where the keys are.")


def _static(jwks: Mapping[str, Any], algorithms: Sequence[str]) -> Static:
    try:
        keyset = read_keyset({"keys": list(jwks["keys"])})
    except ValueError as exc:
        raise PolicyError("jwks", str(exc), "Give public keys in a dict of the form {'keys': [...]}.") from None
    allowed = [ALGORITHMS[name] for name in algorithms]
    if not any(key.serves(algorithm) for keys in keyset.keys.values() for key in keys for algorithm in allowed):
        raise PolicyError("jwks", "none of its keys serves the listed algorithms", "List the algorithm that the keys are for.")
    return Static(keyset)


def _own_address(names: Sequence[str]) -> str:
    if len(names) != 1:
        fix = "Give the address of the tenant-independent metadata, such as .../common/v2.0/.well-known/openid-configuration."
        raise PolicyError("discovery_url", "an issuer with several tenants has no discovery address of its own", fix)
    return names[0].rstrip("/") + WELL_KNOWN
