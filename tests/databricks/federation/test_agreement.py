"""would_accept and the verifier never disagree, whatever the policy and the token are."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tokenward.databricks.federation.policies import policy_of
from tokenward.databricks.federation.would_accept import would_accept

NOW = 1_800_000_000
ISSUER = "https://idp.mycompany.com/oidc"
DATES = st.sampled_from([..., None, NOW - 1, NOW, NOW + 1, NOW + 0.5, NOW + 3600, "1800003600", True, -1, 2**60, [NOW]])
TEXTS = st.sampled_from([..., None, "username@mycompany.com", "workload", "", 5, ["workload"], {"a": "b"}, "é"])
ODD: dict[str, st.SearchStrategy[Any]] = {
    "iss": st.sampled_from([..., None, ISSUER, ISSUER + "/", "https://other.example/", 5, [ISSUER]]),
    "aud": st.sampled_from([..., None, "databricks", ["x", "databricks"], ["x"], [], "", [5, "databricks"], {"databricks": 1}]),
    "sub": TEXTS,
    "email": TEXTS,
    "exp": DATES,
    "nbf": DATES,
    "iat": DATES,
    "jti": TEXTS,
    "tid": TEXTS,
    "azp": TEXTS,
    "scope": TEXTS,
    "roles": TEXTS,
    "nonce": TEXTS,
    "typ": st.sampled_from(["ID", "Refresh", "Bearer", 5]),
    "token_use": st.sampled_from(["id", "access"]),
}
CLAIMS = st.dictionaries(st.sampled_from(sorted(ODD)), st.none(), max_size=3).flatmap(
    lambda chosen: st.fixed_dictionaries({name: ODD[name] for name in chosen})
)
HEADERS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "algorithm": st.sampled_from(["RS256", "ES256", "PS256", "HS256", "none"]),
            "signed_by": st.sampled_from(["RS256", "stranger"]),
            "typ": st.sampled_from([..., "JWT", "at+jwt", "application/at+jwt", "dpop+jwt", 5]),
            "kid": st.sampled_from([..., "kid-RS256", "kid-ES256", "", 5, None]),
            "crit": st.just(["exp"]),
            "nonce": st.just("n"),
        },
    ).map(lambda header: header | ({"signed_by": header["algorithm"]} if header.get("algorithm") in ("ES256", "PS256") else {})),
)
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "subject": st.sampled_from(["username@mycompany.com", "workload"]),
    "audiences": st.sampled_from([(), ("databricks",), ("x", "y")]),
}
OF_ONE_ISSUER = st.fixed_dictionaries({}, optional=OPTIONS)
POLICIES = st.fixed_dictionaries(
    {"jwks_json": st.just(None)} | {"jwks_uri": st.just("https://idp.mycompany.com/keys")},
    optional=OPTIONS | {"subject_claim": st.sampled_from(["sub", "email", "oid"])},
) | st.fixed_dictionaries({}, optional=OPTIONS | {"subject_claim": st.sampled_from(["sub", "email", "oid"])})
TAMPER = st.sampled_from(["", "", "", "truncate", "flip", "double", "prefix", "grow"])
TRIED = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def tampered(token: str, how: str) -> str:
    match how:
        case "truncate":
            return token[:-5]
        case "flip":
            return token[:-10] + ("A" if token[-10:-9] != "A" else "B") + token[-9:]
        case "double":
            return f"{token}.{token}"
        case "prefix":
            return f"Bearer {token}"
        case "grow":
            return token + "A" * 20_000
        case _:
            return token


@TRIED
@given(changes=CLAIMS, header=HEADERS, policy=POLICIES, how=TAMPER)
def test_accepted_by_both_or_by_neither(desk: Any, changes: Any, header: Any, policy: Any, how: str) -> None:
    federation = desk.account_policy(**policy)
    token = tampered(desk.token(changes, **header), how)
    verifier = desk.verifier(policy_of([federation]))
    code = desk.verdict(verifier, token)
    (verdict,) = would_accept(token, [federation], now=desk.now, verifier=verifier)
    verifier.close()
    event(code)
    assert verdict.accepted == (code == "accepted"), code
    assert bool(verdict.failures) == (code != "accepted"), code
    assert all(finding.fix for finding in verdict.failures)


@TRIED
@given(changes=CLAIMS, policies=st.lists(OF_ONE_ISSUER, min_size=1, max_size=4))
def test_a_policy_of_several_accepts_what_one_of_them_accepts(desk: Any, changes: Any, policies: Any) -> None:
    federations = [desk.account_policy(**policy) for policy in policies]
    token = desk.token(changes)
    verdicts = would_accept(token, federations, now=desk.now)
    code = desk.verdict(desk.verifier(policy_of(federations)), token)
    event(code)
    assert any(verdict.accepted for verdict in verdicts) == (code == "accepted")
