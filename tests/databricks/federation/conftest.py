"""What these tests share: the policies of Databricks' own examples, tokens signed by hand, and verifiers without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tokenward import AuthenticationError, Policy, PolicyError, Verifier
from tokenward.databricks.federation.policies import FederationPolicy
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.testing.keys import SigningKey
from tokenward.testing.tokens import compact

NOW = 1_800_000_000
ACCOUNT = "0d26daa6-5e44-4c97-a497-ef015f91254a"
ISSUER = "https://idp.mycompany.com/oidc"
GITHUB = "https://token.actions.githubusercontent.com"
WORKLOAD = "repo:my-github-org/my-repo:environment:prod"
USER = "username@mycompany.com"


class Desk:
    """Mints tokens, writes policies and builds verifiers. `...` as a value leaves a member out."""

    now, account, issuer, github, workload, user = NOW, ACCOUNT, ISSUER, GITHUB, WORKLOAD, USER

    def __init__(self) -> None:
        self.keys = {name: SigningKey.generate(name, f"kid-{name}") for name in ("RS256", "ES256", "PS256")}
        self.stranger = self.keys["RS256"].renamed("kid-stranger")

    def claims(self, **changes: Any) -> dict[str, Any]:
        members = {"iss": ISSUER, "aud": "databricks", "sub": USER, "iat": NOW - 60, "exp": NOW + 3600} | changes
        return {name: value for name, value in members.items() if value is not ...}

    def token(
        self, changes: Mapping[str, Any] | None = None, *, algorithm: str = "RS256", signed_by: str = "RS256", **header: Any
    ) -> str:
        members = {"typ": "JWT", "alg": algorithm, "kid": f"kid-{signed_by}"} | header
        kept = {name: value for name, value in members.items() if value is not ...}
        key = self.keys.get(signed_by, self.stranger)
        return compact(kept, self.claims(**(changes or {})), key, algorithm if algorithm in self.keys else "HS256")

    def workload_token(self, **changes: Any) -> str:
        return self.token({"iss": GITHUB, "aud": "https://github.com/my-github-org", "sub": WORKLOAD} | changes)

    def jwks(self, *names: str) -> str:
        return json.dumps({"keys": [self.keys[name].jwk() for name in names or ("RS256", "ES256")]})

    def account_policy(self, **changes: Any) -> FederationPolicy:
        options = {"issuer": ISSUER, "audiences": ["databricks"], "jwks_json": self.jwks(), "account_id": ACCOUNT} | changes
        return FederationPolicy(**{name: value for name, value in options.items() if value is not ...})

    def workload_policy(self, **changes: Any) -> FederationPolicy:
        return self.account_policy(
            **{"issuer": GITHUB, "audiences": ["https://github.com/my-github-org"], "subject": WORKLOAD} | changes
        )

    def verifier(self, policy: Policy, *, now: float = NOW, answers: Callable[[str], bytes] | None = None) -> Verifier:
        """A verifier at a fixed time, whose keys are at every address, unless `answers` gives something else."""

        def fetch(request: FetchRequest) -> FetchResponse:
            body = self.jwks().encode() if answers is None else answers(request.url)
            return FetchResponse(200, {"content-type": "application/json"}, body)

        return Verifier(policy, clock=lambda: now, fetch=fetch, observer=None, remember=0)

    def verdict(self, verifier: Verifier, token: str | bytes) -> str:
        """`accepted`, or the code of the rejection."""
        try:
            verifier.verify(token)
        except AuthenticationError as rejection:
            return rejection.code
        return "accepted"

    def refusal(self, act: Callable[[], object]) -> PolicyError:
        with pytest.raises(PolicyError) as caught:
            act()
        return caught.value


@pytest.fixture(scope="session")
def desk() -> Desk:
    return Desk()
