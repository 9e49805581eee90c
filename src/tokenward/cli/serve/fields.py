"""Every setting there is: its section, its name, and how it is written. A new one has a line here and in gateway.toml."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "path", "list", "tenants", "whole", "seconds", "switch"]
"""How a value is written; `tenants` is a list, or the word "any". A list in the environment has commas."""

FIELDS: Mapping[str, Mapping[str, Kind]] = MappingProxyType(
    {
        "gateway": {
            "upstream": "text",
            "allow": "list",
            "public_url": "text",
            "authorization_servers": "list",
            "max_concurrent": "whole",
            "client_idle": "seconds",
            "connections": "whole",
            "realm": "text",
            "warm_up": "seconds",
        },
        "policy": {
            "kind": "text",
            "tenant": "text",
            "tenants": "tenants",
            "client_id": "text",
            "audiences": "list",
            "cloud": "text",
            "authority": "text",
            "versions": "list",
            "kinds": "list",
            "clients": "list",
            "guests": "switch",
            "required_scopes": "list",
            "required_roles": "list",
            "leeway": "seconds",
            "issuer": "text",
            "algorithms": "list",
            "jwks_uri": "text",
            "jwks_file": "path",
            "discovery_url": "text",
            "subject_claim": "text",
            "required_claims": "list",
            "file": "path",
            "account_id": "text",
        },
        "credentials": {
            "kind": "text",
            "client_id": "text",
            "scope": "text",
            "tenant": "text",
            "audiences": "list",
            "version": "text",
            "cloud": "text",
            "authority": "text",
            "secret_env": "text",
            "secret_file": "path",
            "certificate": "path",
            "certificate_key": "path",
            "password_env": "text",
            "password_file": "path",
            "token_env": "text",
            "token_file": "path",
            "everybody": "switch",
        },
        "redis": {
            "url": "text",
            "url_env": "text",
            "key_env": "text",
            "key_file": "path",
            "prefix": "text",
            "timeout": "seconds",
        },
        "forward_auth": {"source": "text", "max_age": "whole", "prefix": "text"},
        "server": {
            "host": "text",
            "port": "whole",
            "workers": "whole",
            "tls_certificate": "path",
            "tls_key": "path",
            "notice": "seconds",
            "graceful": "seconds",
            "keep_alive": "seconds",
            "log": "text",
            "access_log": "switch",
        },
    }
)

SECRETS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("credentials", "secret"): "secret_env",
        ("credentials", "password"): "password_env",
        ("credentials", "token"): "token_env",
        ("redis", "key"): "key_env",
    }
)
"""What may be given in the environment by value, and in a file by name only; the field that holds the variable's name."""

BY_NAME: Mapping[tuple[str, str], str] = MappingProxyType({**SECRETS, ("redis", "url"): "url_env"})
"""What, given in the environment, is kept by the variable's name: it is a secret, or may hold one."""


NARROWING: frozenset[tuple[str, str]] = frozenset(
    {("gateway", "allow"), ("credentials", "scope")}
    | {("policy", name) for name in ("tenants", "audiences", "versions", "kinds", "clients", "guests", "algorithms")}
    | {("policy", name) for name in FIELDS["policy"] if name.startswith("required_")}
)
"""What lets fewer callers or calls in than its default does, so that "set to nothing" must not be taken for "not set"."""


def variable(section: str, name: str) -> str:
    """The environment variable of a setting."""
    return f"TOKENWARD_{section}_{name}".upper()


VARIABLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {variable(section, name): (section, name) for section, fields in FIELDS.items() for name in fields}
    | {variable(section, name): (section, name) for section, name in SECRETS}
)
"""Each variable's section and field."""
