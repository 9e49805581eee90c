"""Where to look for the keys of what a person names: an `iss`, the address of a discovery document, or an Issuer."""

from __future__ import annotations

from dataclasses import dataclass

from tokenward import entra, validation
from tokenward.clouds import NAMED
from tokenward.errors import PolicyError
from tokenward.issuer import Issuer
from tokenward.issuer_name import for_tenant, is_template, issuer_name, tenant_of
from tokenward.keys.location import Discovery, JwksUri, Remote, Static
from tokenward.policy import Policy

WELL_KNOWN = "/.well-known/"
DEFAULT_ALGORITHMS = ("RS256",)
"""What an Issuer accepts unless it says otherwise."""

_ANY_AUDIENCE = "any"
_ANY_CLIENT = "00000000-0000-0000-0000-000000000000"
_SHARED = ("common", "organizations")
"""Entra's names in place of a tenant, whose documents hold the template."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where keys are, and what is known of them beforehand.

    issuer      the `iss` of the tokens, or a template of it; None where the document shall say it
    algorithms  those that the policy allows
    cloud       Entra's name of the cloud, where the policy knows it
    policy      by which a key's binding is judged; None where the issuer is not known beforehand
    """

    location: Remote
    issuer: str | None
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    cloud: str | None = None
    policy: Policy | None = None


def place_of(issuer: str | Issuer | None, jwks_uri: str | None = None) -> Place:
    """Find the place as a policy would. Nothing is fetched.

    issuer    an `iss`, an Issuer of a policy, or the address of a discovery document; Entra's are known, with a tenant id,
              "{tenantid}", "common" or "organizations" in them
    jwks_uri  the address of the keys, in place of discovery

    Raises PolicyError.
    """
    if isinstance(issuer, Issuer):
        names = list(issuer.names())
        return _of_issuer(issuer, names[0] if len(names) == 1 else issuer.issuer, jwks_uri)
    if jwks_uri is not None:
        named = None if issuer is None else issuer_name("issuer", issuer)
        return Place(JwksUri(validation.address("jwks_uri", jwks_uri)), named)
    if isinstance(issuer, str) and WELL_KNOWN in issuer:
        return Place(Discovery(validation.address("issuer", issuer), frozenset()), None)
    return _of_name(validation.text("issuer", issuer, "'https://idp.example/'"))


def _of_name(name: str) -> Place:
    known = _of_entra(name)
    if known is not None:
        return known
    if is_template(name):
        fix = "Give the address of the tenant-independent discovery document, which ends in /.well-known/openid-configuration."
        raise PolicyError("issuer", "it stands for many tenants, and its discovery address is not known", fix)
    return _of_issuer(Issuer(name, audiences=[_ANY_AUDIENCE]), name, None)


def _of_issuer(issuer: Issuer, name: str, jwks_uri: str | None, policy: Policy | None = None) -> Place:
    location = issuer.location if jwks_uri is None else JwksUri(validation.address("jwks_uri", jwks_uri))
    if isinstance(location, Static):
        fix = "Give an issuer whose keys are fetched: one without jwks."
        raise PolicyError("issuer", "its keys are given in the configuration, so there is nothing to look at", fix)
    return Place(location, name, tuple(issuer.algorithms), issuer.cloud_instance_name, policy or _policy_of(issuer, name))


def _policy_of(issuer: Issuer, name: str) -> Policy:
    """Of an Entra issuer both versions are believed, as they mostly are together: its keys are bound to one of them."""
    known = _of_entra(name)
    return Policy([issuer]) if known is None or known.policy is None else known.policy


def _of_entra(name: str) -> Place | None:
    """As `entra.api` finds it: the metadata is at the cloud's authority, and not below a v1 issuer."""
    for cloud in NAMED.values():
        for template in (cloud.v1_issuer, cloud.v2_issuer):
            shared = name in (template, *(for_tenant(template, word) for word in _SHARED))
            tenant = tenant_of(name) or ""
            if shared or name == for_tenant(template, tenant):
                policy = entra.api(_ANY_CLIENT, "any" if shared else [tenant], cloud=cloud)
                issuer = next(issuer for issuer in policy.issuers if issuer.issuer == template)
                return _of_issuer(issuer, template if shared else name, None, policy)
    return None
