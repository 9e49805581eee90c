"""A discovery document -> what we need of it (OpenID Connect Discovery 1.0 sections 3 and 4, RFC 8414)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tokenward.keys.address import require_safe_url

MAX_ISSUER_CHARS = 200
"""Of a foreign issuer in a message; real ones are shorter."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where the issuer's keys are, and, for Entra, which cloud the issuer is of."""

    issuer: str
    jwks_uri: str
    cloud_instance_name: str | None


def read_metadata(document: Mapping[str, object], *, issuers: Collection[str], loopback: bool) -> Metadata:
    """Take the metadata of one of `issuers`, to the letter (OpenID Connect Discovery section 4.3).

    The host of `jwks_uri` may differ from the issuer's (Databricks and Entra External ID do that), but it must be https;
    `loopback` says that the document came from this machine, and so may point to it.

    Raises ValueError.
    """
    issuer, jwks_uri = document.get("issuer"), document.get("jwks_uri")
    if not isinstance(issuer, str) or issuer not in issuers:
        named = repr(issuer[:MAX_ISSUER_CHARS]) if isinstance(issuer, str) else "no text"
        raise ValueError(f"the issuer is not the one the policy names, but {named}")
    if not isinstance(jwks_uri, str):
        raise ValueError("jwks_uri is missing")
    require_safe_url(jwks_uri, loopback=loopback)
    cloud = document.get("cloud_instance_name")
    return Metadata(issuer, jwks_uri, cloud if isinstance(cloud, str) else None)
