"""Which keys may speak for this token, and whether one of them signed it."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature

from tokenward.errors import KeyNotForIssuer, SignatureInvalid, UnknownKey
from tokenward.hints import PINNED_KEYS
from tokenward.identity import Claims
from tokenward.issuer_name import for_tenant
from tokenward.keys.jwk import Key
from tokenward.keys.location import Static
from tokenward.policy import Policy, Route
from tokenward.token.algorithms import ALGORITHMS
from tokenward.token.compact import Compact


def check_signature(compact: Compact, keys: Sequence[Key], route: Route, policy: Policy, cloud: str | None) -> Key:
    """The key that signed the token, of those that carry its kid (RFC 7515 section 5.2).

    `cloud` is the cloud's name in the issuer's metadata. Other keys are never tried.

    Raises UnknownKey, KeyNotForIssuer or SignatureInvalid.
    """
    algorithm = ALGORITHMS[compact.header.alg]  # admitted: an issuer's list holds no other
    for key in keys:
        if key.serves(algorithm) and may_speak(key, compact.claims, route, policy, cloud):
            try:
                algorithm.check(key.public_key, compact.signature, compact.signed)
            except InvalidSignature:
                continue
            return key
    fitting = [key for key in keys if key.serves(algorithm)]
    if not fitting:
        hint = PINNED_KEYS if isinstance(route.issuer.location, Static) else None
        raise UnknownKey("no key with this kid fits the algorithm" if keys else "no key with this kid", claim="kid", hint=hint)
    if not any(may_speak(key, compact.claims, route, policy, cloud) for key in fitting):
        raise KeyNotForIssuer("the key is bound to another issuer, tenant or cloud", claim="iss", expected=fitting[0].issuer)
    raise SignatureInvalid("the signature is not this key's")


def may_speak(key: Key, claims: Claims, route: Route, policy: Policy, cloud: str | None) -> bool:
    """Entra's bindings; a key that says nothing is bound by its metadata, and by its address. It looks at no signature."""
    named, expected = key.cloud_instance_name or cloud, route.issuer.cloud_instance_name or cloud
    if None not in (named, expected) and named != expected:
        return False
    return key.issuer is None or _bound_to(key.issuer, claims, route, policy)


def _bound_to(issuer: str, claims: Claims, route: Route, policy: Policy) -> bool:
    """The key's issuer must be the token's, or another form (v1, v2) of the same tenant in this policy.

    Source: learn.microsoft.com/entra/identity-platform/access-tokens, and Microsoft's own validator, which lets a v1 token be
    signed by a key that is published for the v2 form of its tenant.
    """
    tid = claims.get("tid")
    if isinstance(tid, str):
        issuer = for_tenant(issuer, tid)
    if issuer == claims["iss"]:
        return True
    other = policy.route(issuer)
    return other is not None and other.tenant is not None and other.tenant == route.tenant
