"""The exchanges of federated tokens, and what each must come to.

Codes, statuses and Databricks' own words are written out here and not taken from tokenward, so that the demo can find it wrong.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from demo.workspace import StandIn
from tokenward.testing import OidcIssuer

MakeJwt: TypeAlias = Callable[[StandIn], str]

PROVIDER = "https://idp.example/contoso"
WORKLOAD = "repo:contoso/jobs:ref:refs/heads/main"
PRINCIPAL = "7cb2f8a4-49a7-4147-83db-35cb69e5cede"
NOT_A_PRINCIPAL = "c0ffee00-5a1b-4e2d-9f3c-123456789abc"


@dataclass(frozen=True)
class Exchange:
    """One exchange, and the verdict it must get.

    client_id  of the service principal as which it is asked for; None is the user whom the token names
    status     that a service which exchanges its callers' tokens answers with
    code       None where a token must come back
    says       what the endpoint's answer must hold; "" where it is not asked at all, or has nothing to say
    asked      how often the endpoint must be asked; None where it cannot count any more
    """

    name: str
    make: MakeJwt
    client_id: str | None = None
    status: int = 200
    code: str | None = None
    says: str = ""
    asked: int | None = 1


# -- how the tokens are made -------------------------------------------------------------------------------------------


def minted(**body: object) -> MakeJwt:
    """As the stand-in's identity provider mints it."""
    return lambda standin: standin.mint(**body)


def same_jwt() -> MakeJwt:
    """One token, however often it is exchanged."""
    made: list[str] = []

    def _make(standin: StandIn) -> str:
        if not made:
            made.append(standin.mint())
        return made[0]

    return _make


def signed_with_ps256(standin: StandIn) -> str:
    """All is as the policy wants it but the algorithm, which Databricks does not take."""
    return OidcIssuer(PROVIDER).access_token(standin.account_id, subject="ada@contoso.example", algorithm="PS256")


def tampered(standin: StandIn) -> str:
    """A good token whose subject was edited, under the signature of before."""
    header, claims, signature = standin.mint(subject="somebody@contoso.example").split(".")
    edited = {**json.loads(urlsafe_b64decode(claims + "==")), "sub": "ada@contoso.example"}
    return f"{header}.{urlsafe_b64encode(json.dumps(edited).encode()).decode().rstrip('=')}.{signature}"


# -- what they must come to --------------------------------------------------------------------------------------------


def refused(name: str, make: MakeJwt, says: str, *, client_id: str | None = None, asked: int = 1) -> Exchange:
    return Exchange(name, make, client_id, 401, "exchange_refused", says, asked)


def exchanges() -> list[Exchange]:
    """The table, the good ones first."""
    good = same_jwt()
    return [
        Exchange("Account policy", good),
        Exchange("Same token again", good, asked=0),
        Exchange("Principal's policy", minted(subject=WORKLOAD), PRINCIPAL),
        refused("Wrong audience", minted(claims={"aud": "another-service"}), "TOKEN_AUDIENCE_INVALID"),
        refused("Wrong subject", minted(subject="repo:contoso/other"), "TOKEN_INVALID", client_id=PRINCIPAL),
        refused("Wrong issuer", minted(claims={"iss": "https://idp.example/other"}), "TOKEN_INVALID"),
        refused("Tampered subject", tampered, "TOKEN_INVALID"),
        refused("Signed with PS256", signed_with_ps256, "", asked=0),
        Exchange("Expired", minted(lifetime=-60), None, 401, "token_expired", "", 0),
        refused("Unknown principal", minted(subject=WORKLOAD), "Invalid service principal id", client_id=NOT_A_PRINCIPAL),
        refused("Unknown user", minted(subject="nobody@contoso.example"), "HTTP 401"),
    ]


WRONG_AUDIENCE = minted(claims={"aud": "another-service"})
WORKSPACE_DOWN = Exchange("Workspace down", minted(), None, 503, "exchange_unavailable", "", None)
