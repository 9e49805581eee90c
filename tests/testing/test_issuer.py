from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator

import pytest

from tokenward import AuthenticationError, Verifier, entra
from tokenward.keys.port import FetchFailed, FetchRequest
from tokenward.testing import ABSENT, HandClock, LocalIssuer, SigningKey
from tokenward.testing.keys import base64url

Accept = Callable[[str], str]


@pytest.fixture
def verdict(issuer: LocalIssuer, wall: HandClock, mono: HandClock) -> Iterator[Accept]:
    """ "accepted", or the code of the rejection, from a real verifier of all tenants that reads the issuer's common keys."""
    policy = entra.api(issuer.client_id, "any", cloud=issuer.cloud)
    verifier = Verifier(policy, fetch=issuer.fetch, clock=wall, monotonic=mono, observer=None)

    def _verdict(token: str) -> str:
        mono.advance(400)  # past the pause that follows an unknown key
        try:
            verifier.verify(token)
        except AuthenticationError as rejection:
            return rejection.code
        return "accepted"

    yield _verdict
    verifier.close()


def test_after_a_rotation_both_keys_serve_and_the_new_one_signs(issuer: LocalIssuer, verdict: Accept) -> None:
    old = issuer.user_token()
    new_key = issuer.rotate()
    assert issuer.signing_key is new_key
    assert [verdict(old), verdict(issuer.user_token())] == ["accepted", "accepted"]
    assert len(issuer.keys) == 2


def test_a_rotation_can_withdraw_the_old_key(issuer: LocalIssuer, verdict: Accept) -> None:
    old = issuer.user_token()
    published = issuer.keys
    issuer.rotate(keep_old=False)
    assert [key.kid for key in published] == [issuer.signing_key.kid]
    assert [verdict(issuer.user_token()), verdict(old)] == ["accepted", "unknown_key"]


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        pytest.param(lambda i: i.user_token(), "accepted", id="good"),
        pytest.param(lambda i: i.user_token(key=i.stranger_key()), "signature_invalid", id="stranger under the same kid"),
        pytest.param(lambda i: i.user_token(key=SigningKey.generate("RS256")), "unknown_key", id="unpublished key"),
        pytest.param(lambda i: i.user_token(algorithm="none"), "algorithm_not_allowed", id="alg none"),
        pytest.param(lambda i: i.user_token(algorithm="HS256"), "algorithm_not_allowed", id="public key as HMAC secret"),
        pytest.param(lambda i: i.user_token(algorithm="PS256"), "algorithm_not_allowed", id="an algorithm that is not listed"),
        pytest.param(lambda i: i.user_token(header={"alg": "RS256"}, algorithm="RS512"), "signature_invalid", id="a lie in alg"),
        pytest.param(lambda i: i.user_token(header={"kid": "nobody"}), "unknown_key", id="unknown kid"),
        pytest.param(lambda i: i.user_token(lifetime=-1), "token_expired", id="expired"),
        pytest.param(lambda i: i.user_token(now=i.clock() + 60), "token_not_yet_valid", id="not yet valid"),
        pytest.param(lambda i: i.user_token(audience="api://other"), "audience_not_accepted", id="wrong audience"),
        pytest.param(lambda i: i.user_token(claims={"exp": ABSENT}), "claim_missing", id="no exp"),
        pytest.param(lambda i: i.user_token(claims={"iss": "https://idp.example/"}), "issuer_not_trusted", id="foreign issuer"),
        pytest.param(lambda i: i.mint(b"[1, 2"), "malformed_token", id="claims that are no JSON"),
    ],
)
def test_a_forgery_is_as_bad_as_it_says_and_no_worse(
    issuer: LocalIssuer, verdict: Accept, forge: Callable[[LocalIssuer], str], code: str
) -> None:
    assert verdict(forge(issuer)) == code


def test_hs256_is_really_the_confusion_attack(issuer: LocalIssuer) -> None:
    """With the public key's PEM as the secret, a naive HMAC check holds."""
    signed, _, signature = issuer.user_token(algorithm="HS256").rpartition(".")
    assert signature == base64url(hmac.new(issuer.signing_key.public_pem(), signed.encode(), hashlib.sha256).digest())


def test_literal_json_text_is_signed_as_it_is(issuer: LocalIssuer) -> None:
    text = b'{"exp":1e400,"exp":NaN}'
    token = issuer.mint(text, header=b'{"alg":"RS256","alg":"RS256"}')
    header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    assert (header, claims) == (b'{"alg":"RS256","alg":"RS256"}', text)


def test_the_stranger_keeps_up_with_rotation(issuer: LocalIssuer) -> None:
    before = issuer.stranger_key()
    assert issuer.stranger_key() is before
    issuer.rotate()
    assert issuer.stranger_key().kid == issuer.signing_key.kid != before.kid
    assert issuer.stranger_key() not in issuer.keys


@pytest.mark.parametrize(
    ("name", "code"),
    [
        pytest.param("encryption", "unknown_key", id="for encryption"),
        pytest.param("elliptic", "algorithm_not_allowed", id="elliptic curve"),
        pytest.param("small", "unknown_key", id="1024 bits"),
        pytest.param("personal", "key_not_for_issuer", id="of personal accounts"),
        pytest.param("other_cloud", "key_not_for_issuer", id="of another cloud"),
    ],
)
def test_an_odd_key_serves_no_token(issuer: LocalIssuer, verdict: Accept, name: str, code: str) -> None:
    odd = issuer.publish_odd_keys()[name]
    assert verdict(issuer.user_token(key=odd)) == code


def test_odd_keys_of_every_kind_are_published_before_the_good_one(issuer: LocalIssuer, verdict: Accept) -> None:
    odd = issuer.publish_odd_keys()
    assert issuer.publish_odd_keys() == odd
    jwks = issuer.jwks("2.0")["keys"]
    assert [jwk["kid"] for jwk in jwks][-1] == issuer.signing_key.kid
    assert {jwk["kty"] for jwk in jwks} == {"RSA", "EC", "oct", "AKP"}
    assert verdict(issuer.user_token()) == "accepted"


def test_a_personal_accounts_key_serves_personal_accounts(issuer: LocalIssuer, verdict: Accept) -> None:
    personal = issuer.publish_odd_keys()["personal"]
    assert verdict(issuer.user_token(key=personal, tenant="9188040d-6c67-4c5b-b112-36a304b66dad")) == "accepted"


def test_keys_are_made_when_first_used(new_key: Callable[[], SigningKey]) -> None:
    made: list[SigningKey] = []

    def counted() -> SigningKey:
        made.append(new_key())
        return made[-1]

    issuer = LocalIssuer(new_key=counted)
    assert made == []
    issuer.user_token()
    issuer.jwks()
    assert made == issuer.keys


def test_another_key_can_be_made_to_sign(issuer: LocalIssuer) -> None:
    key = SigningKey.generate("ES256", "mine")
    issuer.signing_key = key
    assert issuer.keys == []
    issuer.keys.append(key)
    jwk = issuer.jwks()["keys"][0]
    assert (jwk["kid"], jwk["kty"]) == ("mine", "EC")


def test_only_its_own_addresses_are_answered_in_process(issuer: LocalIssuer) -> None:
    with pytest.raises(FetchFailed) as raised:
        issuer.fetch(FetchRequest("https://elsewhere.example/common/discovery/keys", 1.0))
    assert raised.value.kind == "dns"
    assert issuer.requests == []


def test_every_request_is_noted(issuer: LocalIssuer) -> None:
    url = "https://login.microsoftonline.com/common/discovery/keys"
    document = json.loads(issuer.fetch(FetchRequest(url, 1.0)).body)
    assert document == issuer.jwks("1.0")
    assert issuer.requests == [url]
