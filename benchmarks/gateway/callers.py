"""Who calls: Entra-shaped tokens of many people, and a workspace that exchanges them and counts."""

from __future__ import annotations

import json
import time
from functools import cache

from benchmarks.tokens import (
    CLIENT,
    KEYS_IN_SET,
    LIFETIME,
    V2_ISSUER,
    jwks_of,
    mint,
    rsa_signers,
    unbase64url,
    v2_user,
    with_claims,
)
from tokenward.testing.workspace import DatabricksWorkspace

MANY = 1000
NAME_CLAIM = "preferred_username"


@cache
def caller(number: int) -> str:
    """The token of this person: 1.9 KB, RS256."""
    claims = v2_user(number, int(time.time())) | {NAME_CLAIM: name_of(number), "sub": f"subject-of-caller-{number:06d}"}
    return mint(rsa_signers()[KEYS_IN_SET // 2], claims)


def callers(count: int) -> list[str]:
    return [caller(number) for number in range(count)]


def name_of(number: int) -> str:
    return f"caller{number}@contoso.example"


def tampered() -> str:
    """Somebody else's name under the old signature."""
    return with_claims(caller(0), **{NAME_CLAIM: name_of(1)})


def expired() -> str:
    claims = v2_user(0, int(time.time()) - 2 * LIFETIME) | {NAME_CLAIM: name_of(0)}
    return mint(rsa_signers()[KEYS_IN_SET // 2], claims)


def workspace_of(count: int) -> DatabricksWorkspace:
    """A workspace that knows so many callers, and accepts their tokens in exchange."""
    made = DatabricksWorkspace()
    policy = {
        "issuer": V2_ISSUER,
        "audiences": [CLIENT],
        "subject_claim": NAME_CLAIM,
        "jwks_json": json.dumps(jwks_of(rsa_signers())),
    }
    made.federation.add({"policy_id": "callers", "oidc_policy": policy})
    for number in range(count):
        made.directory.add_user(name_of(number))
    return made


def subject_of(token: str) -> str:
    """Whom a token names: a workspace's own by `sub`, an Entra one by the name."""
    claims = json.loads(unbase64url(token.split(".")[1]))
    return str(claims.get(NAME_CLAIM) or claims["sub"])
