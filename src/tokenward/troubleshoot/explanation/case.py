"""One token before one policy: what every fix and every word of a table is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenward.entra import DATABRICKS_RESOURCE
from tokenward.identity import Claims
from tokenward.issuer import Issuer
from tokenward.policy import Policy
from tokenward.token.header import Header
from tokenward.troubleshoot.explanation.entra_claims import EntraIssuer, entra_issuer
from tokenward.troubleshoot.explanation.nearest import Nearest


@dataclass(frozen=True, slots=True, repr=False)
class Case:
    """An opened token, the rules it is judged by, and the time. Without a policy the rules are those that need none."""

    header: Header
    claims: Claims
    now: float
    issuer: Issuer
    policy: Policy | None = None
    nearest: Nearest | None = None

    @property
    def issuers(self) -> Sequence[Issuer]:
        """Those of the policy."""
        return self.policy.issuers if self.policy is not None else ()

    @property
    def entra(self) -> EntraIssuer | None:
        """What the token's own `iss` says, if it is Entra's."""
        return entra_issuer(self.claims.get("iss"))

    @property
    def meant(self) -> EntraIssuer | None:
        """The same of the issuer that it is judged by."""
        tenants = self.issuer.tenants
        one = tenants[0] if tenants and tenants != "any" else "00000000-0000-0000-0000-000000000000"
        return entra_issuer(self.issuer.for_tenant(one))

    @property
    def scope(self) -> str:
        """What an Entra client asks for to get a token that fits; empty where the issuer is not Entra."""
        if self.meant is None or not self.issuer.audiences:
            return ""
        return f"{min(name.rstrip('/') for name in self.issuer.audiences)}/.default"

    @property
    def is_databricks(self) -> bool:
        return DATABRICKS_RESOURCE in self.issuer.audience_set
