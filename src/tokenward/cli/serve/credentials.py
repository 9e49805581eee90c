"""[credentials]: with which token a request goes on, and how this gateway proves itself where it must."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tokenward.cli.serve.policies import cloud_of
from tokenward.cli.serve.secret import need_secret, secret_of
from tokenward.cli.serve.settings import Section, Settings
from tokenward.databricks.admission.credentials import Credentials, Fixed, PassThrough
from tokenward.databricks.exchange import Exchange
from tokenward.databricks.grant import Grant
from tokenward.databricks.on_behalf_of.client_auth import ClientCertificate, ClientSecret, FederatedCredential
from tokenward.databricks.on_behalf_of.credential import ClientCredential
from tokenward.databricks.on_behalf_of.on_behalf_of import OnBehalfOf
from tokenward.databricks.shared.shared_tokens import SharedTokens
from tokenward.databricks.tokens import AsyncTokenSource

_WAYS = ("secret_env", "secret_file", "certificate", "token_file")
_CERTIFICATE = ("certificate_key", "password_env", "password_file")
_OF_ON_BEHALF_OF = ("tenant", "client_id", "scope", "audiences", "version", "cloud", "authority", *_WAYS, *_CERTIFICATE)


def credentials_from(settings: Settings, shared: SharedTokens | None = None) -> Credentials:
    """What [credentials] describes, with the tokens that other processes share. Secrets are read now. Raises CommandFailed."""
    section = settings["credentials"]
    kind = section.among("kind", _KINDS, "with which token requests go on")
    make, names = _KINDS[kind]
    section.require_only(kind, names)
    with section.judging(host="upstream", credential=_way(section), token="token_env"):  # noqa: S106  # names of fields
        made = make(settings)
    if shared is None:
        return made
    if isinstance(made, (PassThrough, Fixed)):
        fix = "Leave [redis] out, or take the kind exchange or on_behalf_of."
        raise section.failed("kind", f"{kind} exchanges no tokens, so there is nothing to share through [redis]", fix)
    return AsyncTokenSource(made, shared=shared)


def _exchange(settings: Settings) -> Grant:
    upstream = settings["gateway"].need("upstream", "the workspace, whose token endpoint is asked")
    with settings["gateway"].judging(host="upstream"):
        Exchange(upstream)
    return Exchange(upstream, **settings["credentials"].given("client_id", "scope"))


def _on_behalf_of(settings: Settings) -> Grant:
    """Tenant and cloud are those of the policy, and so is the application of an `api` policy, where nothing else is said."""
    section, policy = settings["credentials"], settings["policy"]
    tenants = policy.get("tenants", [])
    only = tenants[0] if isinstance(tenants, list) and len(tenants) == 1 else None
    tenant = section.get("tenant") or policy.get("tenant") or only
    client_id = section.get("client_id") or (policy.get("client_id") if policy.get("kind") == "api" else None)
    return OnBehalfOf(
        tenant or section.need("tenant", "the tenant id (GUID) of the users"),
        client_id or section.need("client_id", "this gateway's own application (client) id"),
        _credential(section),
        cloud=cloud_of(section, cloud_of(policy)),
        **section.given("scope", "audiences", "version"),
    )


def _credential(section: Section) -> ClientCredential:
    ways = [name for name in _WAYS if name in section]
    if len(ways) > 1:
        raise section.failed(ways[1], f"{ways[0]} is set as well{section.origin(ways[0])}", "Keep one of the two.")
    if "certificate" in section:
        password = secret_of(section, "password", "the password of the key")
        return ClientCertificate(section.get("certificate"), key=section.get("certificate_key"), password=password)
    if "token_file" in section:
        return FederatedCredential(section.get("token_file"))
    return ClientSecret(need_secret(section, "secret", "the client secret"))


def _way(section: Section) -> str:
    return next((name for name in _WAYS if name in section), "secret_env")


def _fixed(settings: Settings) -> Fixed:
    return Fixed(need_secret(settings["credentials"], "token", "a Databricks token"))


def _pass_through(_: Settings) -> PassThrough:
    return PassThrough()


_KINDS: Mapping[str, tuple[Callable[[Settings], PassThrough | Fixed | Grant], tuple[str, ...]]] = MappingProxyType(
    {
        "pass_through": (_pass_through, ()),
        "exchange": (_exchange, ("client_id", "scope")),
        "on_behalf_of": (_on_behalf_of, _OF_ON_BEHALF_OF),
        "fixed": (_fixed, ("token_env", "token_file", "everybody")),
    }
)
"""Each kind: who makes its credentials, and of which settings."""
