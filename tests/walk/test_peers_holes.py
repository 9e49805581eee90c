"""The holes that were found, by running them, in other verifiers. Each is a rule here, named for what must not happen."""

from __future__ import annotations

import copy
import dataclasses
import json
import threading
import time
from typing import Any

import pytest
import structlog

from tokenward import Identity, Policy, entra
from tokenward.challenge import answer
from tokenward.diagnostics import Diagnostics
from tokenward.errors import InsufficientScope, MissingToken
from tokenward.keys.keyset import KeySet
from tokenward.keys.location import Static
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.static import StaticSource
from tokenward.memory import Memory
from tokenward.walk import Search, Walk

KEYS = "https://idp.example/keys"
ODD_KEYS = {
    "post-quantum": {"kid": "pq", "kty": "AKP", "alg": "ML-DSA-65", "pub": "AQ"},
    "EC": {"kid": "ec", "kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"},
    "unknown curve": {"kid": "k1", "kty": "EC", "crv": "secp256k1", "x": "AQ", "y": "AQ"},
    "symmetric": {"kid": "oct", "kty": "oct", "k": "AQ"},
    "no kty": {"kid": "none"},
    "kty of a wrong type": {"kid": "x", "kty": ["RSA"]},
    "no kid": {"kty": "RSA", "n": "AQ", "e": "AQAB"},
    "a damaged modulus": {"kid": "bad", "kty": "RSA", "n": "***", "e": "AQAB"},
    "a weak modulus": {"kid": "weak", "kty": "RSA", "n": "w" * 85 + "Q", "e": "AQAB"},
    "encryption": {"kid": "enc", "kty": "RSA", "use": "enc", "n": "AQ", "e": "AQAB"},
    "text": "not a key",
    "null": None,
    "list": [],
}


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Remote:
    """A verifier whose keys come through the fetch port, on clocks that the test turns."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self.clock = Clock(float(desk.now))
        self.provider = desk.provider({KEYS: desk.jwks()})
        self.verifier = desk.verifier(
            desk.rule(jwks=..., jwks_uri=KEYS),
            fetch=self.provider,
            clock=self.clock,
            monotonic=self.clock,
            rhythm=Rhythm(jitter=0.0),
        )

    def verdict(self, token: str) -> str:
        found: str = self.desk.verdict(self.verifier, token)
        return found

    def settled(self, fetches: int) -> None:
        """Wait for a fetch that runs behind the requests, and for its result to be taken."""
        until = time.monotonic() + 10
        while self.verifier.status()[0].fetch == "in_flight" or len(self.provider.asked) < fetches:
            assert time.monotonic() < until
            time.sleep(0.001)


@pytest.fixture
def remote(desk: Any) -> Remote:
    return Remote(desk)


@pytest.fixture
def long_lived(desk: Any) -> str:
    token: str = desk.token(desk.claims(exp=desk.now + 10 * 86400))
    return token


def test_a_token_without_exp_is_not_accepted(desk: Any) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(exp=...))) == "claim_missing"


def test_exp_null_is_not_taken_for_no_end(desk: Any) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(exp=None))) == "claim_missing"


def test_exp_infinity_is_not_taken_for_no_end(desk: Any) -> None:
    claims = b'{"iss":"https://idp.example/","aud":"api://jobs","exp":Infinity}'
    assert desk.verdict(desk.verifier(), desk.token(claims)) == "malformed_token"


def test_exp_zero_is_not_taken_for_no_end(desk: Any) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(exp=0))) == "token_expired"


def test_a_future_nbf_is_not_accepted(desk: Any) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(nbf=desk.now + 1))) == "token_not_yet_valid"


def test_a_guest_is_not_told_so_by_a_forged_token(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(guests=False))
    forged = desk.token(desk.claims(acct=1), signer="rsa-2", kid="kid-rsa")
    assert desk.rejection(lambda: verifier.verify(forged)).status == 401
    assert desk.verdict(verifier, forged) == "signature_invalid"
    assert desk.verdict(verifier, desk.token(desk.claims(acct=1))) == "guest_not_allowed"


def test_a_scope_is_not_decided_on_a_forged_token(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(required_scopes=["jobs"]))
    for scope in ("jobs", "other"):
        forged = desk.token(desk.claims(scp=scope), signer="rsa-2", kid="kid-rsa")
        assert desk.verdict(verifier, forged) == "signature_invalid"


@pytest.mark.parametrize("odd", ODD_KEYS.values(), ids=ODD_KEYS.keys())
def test_an_odd_key_does_not_stop_the_others(desk: Any, odd: object) -> None:
    remote = Remote(desk)
    remote.provider.documents[KEYS] = {"keys": [copy.deepcopy(odd), desk.signers["rsa"].jwk, copy.deepcopy(odd)]}
    assert remote.verdict(desk.token()) == "accepted"
    static = desk.verifier(desk.rule(jwks={"keys": [odd, desk.signers["rsa"].jwk]}))
    assert desk.verdict(static, desk.token()) == "accepted"


def test_a_set_without_alg_serves(desk: Any) -> None:
    assert "alg" not in desk.signers["rsa"].jwk
    assert desk.verdict(desk.verifier(), desk.token()) == "accepted"


def test_a_key_without_x5c_serves_and_x5c_is_not_looked_at(desk: Any) -> None:
    assert "x5c" not in desk.signers["rsa"].jwk
    with_junk = desk.verifier(desk.rule(jwks=desk.jwks(x5c=["junk"])))
    assert desk.verdict(with_junk, desk.token()) == "accepted"


def test_ec_and_okp_keys_beside_rsa_serve_too(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(algorithms=["RS256", "ES256", "EdDSA"], jwks=desk.jwks("rsa", "p256", "ed25519")))
    assert desk.verdicts(verifier, [desk.token(algorithm=name) for name in ("RS256", "ES256", "EdDSA")]) == {"accepted"}


def test_a_new_key_is_picked_up_at_once_after_a_rotation(desk: Any, remote: Remote) -> None:
    assert remote.verdict(desk.token()) == "accepted"
    remote.provider.documents[KEYS] = desk.jwks("rsa", "rsa-2")
    remote.clock.now += 31
    assert remote.verdict(desk.token(signer="rsa-2")) == "accepted"
    assert remote.verdict(desk.token()) == "accepted"
    assert len(remote.provider.asked) == 2


def test_old_keys_still_serve_while_the_issuer_is_down(desk: Any, remote: Remote, long_lived: str) -> None:
    assert remote.verdict(long_lived) == "accepted"
    remote.provider.documents[KEYS] = FetchFailed("connect", "down")
    for hour in range(1, 23):
        remote.clock.now += 3600
        assert remote.verdict(desk.token(desk.claims(exp=desk.now + 10 * 86400, jti=str(hour)))) == "accepted"
        assert remote.verdict(long_lived) == "accepted"
        remote.settled(hour + 1)


def test_keys_that_cannot_be_had_are_503_and_never_401(desk: Any, remote: Remote, long_lived: str) -> None:
    remote.provider.documents[KEYS] = FetchFailed("connect", "down")
    cold = desk.rejection(lambda: remote.verifier.verify(desk.token()))
    assert (cold.code, cold.status) == ("keys_unavailable", 503)
    assert cold.retry_after > 0
    remote.provider.documents[KEYS] = desk.jwks()
    remote.clock.now += 60
    assert remote.verdict(long_lived) == "accepted"
    remote.provider.documents[KEYS] = FetchFailed("connect", "down")
    remote.clock.now += 86400
    assert remote.verdict(long_lived) == "keys_unavailable"


def test_recovery_is_not_delayed_by_a_penalty(desk: Any, remote: Remote) -> None:
    remote.provider.documents[KEYS] = FetchFailed("connect", "down")
    rejection = desk.rejection(lambda: remote.verifier.verify(desk.token()))
    remote.provider.documents[KEYS] = desk.jwks()
    remote.clock.now += rejection.retry_after
    assert remote.verdict(desk.token()) == "accepted"


def test_fifty_unheard_of_kids_cost_one_fetch_at_most(desk: Any, remote: Remote) -> None:
    assert remote.verdict(desk.token()) == "accepted"
    remote.clock.now += 400
    verdicts = {remote.verdict(desk.token(kid=f"random-{number}")) for number in range(50)}
    assert verdicts == {"unknown_key"}
    assert len(remote.provider.asked) == 2
    assert remote.verdict(desk.token()) == "accepted"


def test_fifty_unheard_of_kids_cost_one_fetch_while_the_issuer_is_down(desk: Any, remote: Remote) -> None:
    remote.verdict(desk.token())
    remote.provider.documents[KEYS] = FetchFailed("connect", "down")
    remote.clock.now += 400
    verdicts = {remote.verdict(desk.token(kid=f"random-{number}")) for number in range(50)}
    assert verdicts == {"keys_unavailable"}
    assert len(remote.provider.asked) == 2


def test_a_wrong_signature_causes_no_fetch(desk: Any, remote: Remote) -> None:
    remote.verdict(desk.token())
    remote.clock.now += 400
    forged = desk.token(signer="rsa-2", kid="kid-rsa")
    assert {remote.verdict(forged) for _ in range(20)} == {"signature_invalid"}
    assert len(remote.provider.asked) == 1


def test_twenty_cold_requests_at_once_are_one_fetch(desk: Any) -> None:
    released, started = threading.Event(), threading.Event()
    remote = Remote(desk)
    inner = remote.provider

    def slow(request: FetchRequest) -> FetchResponse:
        started.set()
        assert released.wait(10)
        response: FetchResponse = inner(request)
        return response

    verifier = desk.verifier(desk.rule(jwks=..., jwks_uri=KEYS), fetch=slow)
    verdicts: list[str] = []
    threads = [threading.Thread(target=lambda: verdicts.append(desk.verdict(verifier, desk.token()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    released.set()
    for thread in threads:
        thread.join()
    assert verdicts == ["accepted"] * 8
    assert len(inner.asked) == 1


def test_an_empty_set_does_not_replace_good_keys(desk: Any, remote: Remote, long_lived: str) -> None:
    assert remote.verdict(long_lived) == "accepted"
    remote.provider.documents[KEYS] = {"keys": []}
    remote.clock.now += 3700
    assert remote.verdict(long_lived) == "accepted"
    remote.settled(2)
    assert remote.verdict(long_lived) == "accepted"
    assert remote.verifier.status()[0].failures == 1


@pytest.mark.parametrize(
    "iss",
    [
        "http://169.254.169.254/",
        "https://evil.example/",
        "file:///etc/passwd",
        "http://localhost:8080/",
        "https://idp.example/@evil.example/",
    ],
)
def test_a_token_cannot_choose_an_address_by_its_issuer(desk: Any, remote: Remote, iss: str) -> None:
    assert remote.verdict(desk.token(desk.claims(iss=iss))) == "issuer_not_trusted"
    assert remote.provider.asked == []


@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_a_token_cannot_choose_an_address_by_its_header(desk: Any, remote: Remote, name: str) -> None:
    token = desk.token(signer="rsa-2", **{name: "http://169.254.169.254/keys"})
    assert remote.verdict(token) == "unknown_key"
    assert set(remote.provider.asked) == {KEYS}


def test_typ_jwt_is_an_access_token_as_entra_sends_it(desk: Any) -> None:
    assert desk.verdict(desk.verifier(), desk.token(typ="JWT")) == "accepted"


def test_a_token_needs_neither_client_id_nor_jti(desk: Any) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(client_id=..., jti=...))) == "accepted"


@pytest.mark.parametrize("algorithm", ["HS256", "RS384", "ES256", "PS256"])
def test_only_listed_algorithms_pass_and_no_recommended_ones_beside_them(desk: Any, algorithm: str) -> None:
    token = desk.token(signature=b"x", alg=algorithm)
    assert desk.verdict(desk.verifier(), token) == "algorithm_not_allowed"


def test_a_scope_that_is_missing_is_named_in_one_challenge(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(required_scopes=["jobs"]))
    forbidden = desk.rejection(lambda: verifier.verify(desk.token()))
    assert isinstance(forbidden, InsufficientScope)
    made = [value for name, value in answer(forbidden).headers if name == "WWW-Authenticate"]
    assert len(made) == 1
    assert 'error="insufficient_scope"' in made[0]
    assert 'scope="jobs"' in made[0]


def test_no_credentials_get_a_challenge_without_an_error() -> None:
    assert dict(answer(MissingToken()).headers)["WWW-Authenticate"] == "Bearer"


class CountedKey:
    """A real public key that counts how often it is asked."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.asked = 0

    def verify(self, *arguments: Any) -> None:
        self.asked += 1
        self.inner.verify(*arguments)


def test_a_bad_signature_costs_one_verification_and_not_one_for_each_key(desk: Any) -> None:
    rule = desk.rule(jwks=desk.jwks("rsa", "rsa-2"))
    counted = {kid: CountedKey(keys[0].public_key) for kid, keys in rule.location.keyset.keys.items()}
    keys = {kid: (dataclasses.replace(keys[0], public_key=counted[kid]),) for kid, keys in rule.location.keyset.keys.items()}
    walk = Walk(Policy([rule]), {rule.issuer: StaticSource(Static(KeySet(keys)))}, Memory(), lambda: float(desk.now))
    pending = walk.begin(desk.token(signer="rsa-2", kid="kid-rsa").encode())
    assert not isinstance(pending, Identity)
    found = walk.keys_in_hand(pending)
    assert not isinstance(found, Search)
    assert desk.rejection(lambda: walk.conclude(pending, found)).code == "signature_invalid"
    assert {kid: key.asked for kid, key in counted.items()} == {"kid-rsa": 1, "kid-rsa-2": 0}


def test_a_text_that_is_no_jwt_is_not_passed_on_to_be_judged_elsewhere(desk: Any, remote: Remote) -> None:
    assert remote.verdict("opaque-token") == "malformed_token"
    assert remote.provider.asked == []


def test_a_malformed_token_is_not_logged(desk: Any) -> None:
    canary = "canary" * 5
    malformed = [
        canary,
        f"{canary}.{canary}.{canary}",
        desk.b64(json.dumps({"alg": canary}).encode()) + f".{canary}.",
        f"eyJ{canary}",
    ]
    with structlog.testing.capture_logs() as captured:
        diagnostics = Diagnostics(first=None)
        for token in malformed:
            diagnostics.rejected(desk.rejection(lambda token=token: desk.verifier().verify(token)), method="GET", path="/")
    assert len(captured) == len(malformed)
    for entry in captured:
        shown = {key: value for key, value in entry.items() if key != "seen" or entry["code"] != "algorithm_not_allowed"}
        assert canary not in json.dumps(shown)


def test_v1_and_v2_tokens_are_accepted_together_but_not_mixed(desk: Any) -> None:
    tenant, client = "aaaaaaaa-2222-3333-4444-555555555555", "cccccccc-2222-3333-4444-555555555555"
    policy = entra.api(client, [tenant])
    forms = {"1.0": f"https://sts.windows.net/{tenant}/", "2.0": f"https://login.microsoftonline.com/{tenant}/v2.0"}
    documents: dict[str, Any] = {}
    for rule in policy.issuers:
        documents[rule.location.url] = {"issuer": next(iter(rule.names())), "jwks_uri": KEYS}  # type: ignore[union-attr]
    verifier = desk.verifier(policy=policy, fetch=desk.provider(documents | {KEYS: desk.jwks()}))
    for iss_version, iss in forms.items():
        for version in forms:
            claims = desk.claims(iss=iss, ver=version, tid=tenant, aud=client, azp="x", appid="x", scp="s")
            expected = "accepted" if iss_version == version else "issuer_not_trusted"
            assert desk.verdict(verifier, desk.token(claims)) == expected
