"""[policy]: whom to believe. Four kinds, each with its own settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from tokenward import entra
from tokenward.cli.federation_file import MAX_FILE_BYTES, noted_policies
from tokenward.cli.serve.secret import failed_file
from tokenward.cli.serve.settings import Section
from tokenward.clouds import NAMED, PUBLIC, Cloud
from tokenward.databricks.federation.policies import policy_of
from tokenward.errors import PolicyError
from tokenward.issuer import Issuer
from tokenward.keys.port import MAX_BODY_BYTES
from tokenward.policy import Policy
from tokenward.token.strict import parse_unique_object

_CLOUD = ("cloud", "authority")
_CALLERS = ("kinds", "clients", "leeway")
_OF_API = ("audiences", "versions", *_CALLERS, "guests", "required_scopes", "required_roles")
_OF_ISSUER = (
    *("algorithms", "jwks_uri", "discovery_url", "subject_claim", "required_claims"),
    *("clients", "leeway", "required_scopes", "required_roles"),
)


def policy_from(section: Section) -> Policy:
    """The policy that [policy] describes. Raises CommandFailed."""
    kind = section.among("kind", _KINDS, "whose tokens are believed")
    make, names = _KINDS[kind]
    section.require_only(kind, names)
    with section.judging():
        return make(section)


def cloud_of(section: Section, default: Cloud = PUBLIC) -> Cloud:
    """The Entra cloud that a section names, with another authority if it is set. Raises CommandFailed and PolicyError."""
    cloud = NAMED[section.among("cloud", NAMED, "the Entra cloud")] if "cloud" in section else default
    return replace(cloud, authority=section.get("authority")) if "authority" in section else cloud


def _databricks(section: Section) -> Policy:
    tenant = section.need("tenant", "the tenant id (GUID) of the workspace")
    return entra.databricks(tenant, cloud=cloud_of(section), **section.given("versions", *_CALLERS))


def _api(section: Section) -> Policy:
    client_id = section.need("client_id", "the application (client) id of this API")
    tenants = section.need("tenants", "the tenant ids that may call, or any")
    return entra.api(client_id, tenants, cloud=cloud_of(section), **section.given(*_OF_API))


def _oidc(section: Section) -> Policy:
    issuer = section.need("issuer", "the iss of the tokens")
    audiences = section.need("audiences", "what aud may be: this gateway's names")
    with section.judging(jwks="jwks_file"):
        return Policy([Issuer(issuer, audiences=audiences, jwks=_keys(section), **section.given(*_OF_ISSUER))])


def _keys(section: Section) -> Mapping[str, object] | None:
    """The key set in jwks_file, which is never fetched again; None if there is no such setting. Raises CommandFailed."""
    if "jwks_file" not in section:
        return None
    text = _text(section, "jwks_file", "a file with the issuer's public keys, as its jwks_uri answers", MAX_BODY_BYTES)
    try:
        document = parse_unique_object(text)
    except ValueError as exc:
        raise section.failed("jwks_file", f"it is {exc}", _FIX_KEYS) from None
    if not isinstance(document.get("keys"), list):
        raise section.failed("jwks_file", "it holds no list of keys", _FIX_KEYS)
    return document


_FIX_KEYS = 'Save what the issuer\'s jwks_uri answers: {"keys": [...]}.'


def _federation(section: Section) -> Policy:
    """The policies that Databricks exchanges by; what of them cannot be used is a matter of the file."""
    what = "a file with federation policies, such as `databricks account federation-policy list -o json` prints"
    text = _text(section, "file", what, MAX_FILE_BYTES)
    try:
        return policy_of(noted_policies(text, section.get("account_id")))
    except PolicyError as error:
        fix = error.fix.replace("Pass account_id", "Set account_id")
        raise section.failed("file", f"{error.field}: {error.problem}", fix) from None


def _text(section: Section, name: str, what: str, most: int) -> bytes:
    path = Path(section.need(name, what))
    try:
        with path.open("rb") as file:
            text = file.read(most + 1)
    except (OSError, ValueError) as exc:
        raise failed_file(section, name, exc, f"Give {what}.") from None
    if len(text) > most:
        raise section.failed(name, f"it is larger than {most} bytes", f"Give {what}, and nothing else.")
    return text


_KINDS: Mapping[str, tuple[Callable[[Section], Policy], tuple[str, ...]]] = MappingProxyType(
    {
        "databricks": (_databricks, ("tenant", *_CLOUD, "versions", *_CALLERS)),
        "api": (_api, ("client_id", "tenants", *_CLOUD, *_OF_API)),
        "oidc": (_oidc, ("issuer", "audiences", "jwks_file", *_OF_ISSUER)),
        "federation": (_federation, ("file", "account_id")),
    }
)
"""Each kind: who makes its policy, and of which settings."""
