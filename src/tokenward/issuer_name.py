"""The name of an issuer, `iss`: what it may look like, and how a template stands for the names of many tenants."""

from __future__ import annotations

import re

from tokenward import validation
from tokenward.errors import PolicyError

TENANT_PLACEHOLDER = "{tenantid}"
"""As Entra's own tenant-independent metadata writes it."""

SOME_TENANT = "00000000-0000-0000-0000-000000000000"
_NOBODY = re.compile(
    r"https://(login|sts)\.(\w+\.)?(microsoftonline|microsoft|windows|chinacloudapi|usgovcloudapi)\.\w+"
    r"/(common|organizations|consumers)(/|$)"
)


def issuer_name(field: str, value: object) -> str:
    """An `iss`, or a template of it. Raises PolicyError."""
    if not isinstance(value, str) or not value:
        raise PolicyError(field, "it is not a string", "Give the iss of the tokens, such as 'https://idp.example/'.")
    if value.count(TENANT_PLACEHOLDER) > 1 or validation.has_placeholder(value.replace(TENANT_PLACEHOLDER, "")):
        raise PolicyError(field, "it holds a placeholder", f"Fill it in; only {TENANT_PLACEHOLDER}, once, has a meaning here.")
    if set(value) & set("?#"):
        problem = "it holds a query or a fragment, which no issuer has (OpenID Connect Discovery section 3)"
        raise PolicyError(field, problem, "Give the iss of the tokens; an address with a query may be the discovery_url.")
    if "/.well-known/" in value:
        problem = "it is the address of a discovery document, which no token names as its issuer"
        raise PolicyError(field, problem, "Give what stands before /.well-known, or this as the discovery_url.")
    validation.address(field, for_tenant(value, SOME_TENANT))
    _require_tokens_carry_it(field, value)
    return value


def is_template(name: str) -> bool:
    return TENANT_PLACEHOLDER in name


def for_tenant(template: str, tenant: str) -> str:
    """The template with the tenant filled in."""
    return template.replace(TENANT_PLACEHOLDER, tenant)


def template_of(iss: str) -> str:
    """The template that an `iss` would be of: the first GUID in it is taken for the tenant."""
    return validation.GUID.sub(TENANT_PLACEHOLDER, iss, count=1)


def tenant_of(iss: str) -> str | None:
    """The tenant in an `iss`: the first GUID in it."""
    found = validation.GUID.search(iss)
    return found.group() if found else None


def _require_tokens_carry_it(field: str, name: str) -> None:
    if _NOBODY.match(name):
        fix = "Use entra.api(client_id, tenants=[...]), or put {tenantid} in its place and list the tenants."
        raise PolicyError(field, "no token carries it: Entra's tokens name their tenant", fix)
    if is_template(name) and template_of(for_tenant(name, SOME_TENANT)) != name:
        problem = f"what stands before {TENANT_PLACEHOLDER} would be taken for the tenant, so no token could match"
        raise PolicyError(field, problem, f"Write {TENANT_PLACEHOLDER} in place of the first GUID.")
