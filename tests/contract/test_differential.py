"""Whatever tokenward accepts, PyJWT and joserfc accept: mutations of valid tokens, judged by all three."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenward import AuthenticationError

MUTANTS = 20_000
MANY = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NAMES = {"RS256": "rsa", "PS256": "rsa", "ES256": "ec", "EdDSA": "ed"}

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


CLOCKS_APART = 3600
"""Seconds. Our clock stands still while the tests run, and the judges' does not."""


def judged(bench: Any, token: str | bytes) -> str:
    """Our verdict; where it is `accepted`, the judges must agree."""
    try:
        bench.verifier.verify(token)
    except AuthenticationError as rejection:
        return rejection.code
    assert bench.refusals(token) == [], token
    return "accepted"


def valid(bench: Any, algorithm: str = "EdDSA") -> str:
    """A valid token; `algorithm` is RS256, ES256 or EdDSA."""
    kid = NAMES[algorithm]
    token: str = bench.sign({"alg": algorithm, "kid": kid, "typ": "JWT"}, bench.claims(), kid)
    return token


# -- twenty thousand changes of the text ---------------------------------------------------------------------------------


def _bytes_changed(token: str, rng: random.Random) -> str:
    place = rng.randrange(len(token))
    return token[:place] + chr(rng.randrange(128)) + token[place + 1 :]


def _character_changed(token: str, rng: random.Random) -> str:
    place = rng.randrange(len(token))
    return token[:place] + rng.choice(ALPHABET) + token[place + 1 :]


def _character_removed(token: str, rng: random.Random) -> str:
    place = rng.randrange(len(token))
    return token[:place] + token[place + 1 :]


def _character_added(token: str, rng: random.Random) -> str:
    place = rng.randrange(len(token) + 1)
    return token[:place] + rng.choice(ALPHABET + ".=+/ \n\t\0\u00e9") + token[place:]


def _cut(token: str, rng: random.Random) -> str:
    return token[: rng.randrange(len(token))]


def _segment_ends_differently(token: str, rng: random.Random) -> str:
    """The spare bits of the last character, padding, white space: other texts for the same bytes."""
    parts = token.split(".")
    place = rng.randrange(3)
    end = rng.choice(["=", "==", "\n", " ", "\r\n", "%3D", parts[place][-1], "A"])
    parts[place] = parts[place][:-1] + rng.choice(ALPHABET) if rng.random() < 0.6 else parts[place] + end
    return ".".join(parts)


def _segments_moved(token: str, rng: random.Random) -> str:
    parts = token.split(".") + rng.choice([[], [""], ["", ""]])
    rng.shuffle(parts)
    return ".".join(parts)


def _standard_alphabet(token: str, rng: random.Random) -> str:
    return token.translate(str.maketrans("-_", "+/")) if rng.random() < 0.5 else token.replace("-", "+", 1)


def _spliced(token: str, rng: random.Random, other: str) -> str:
    one, two = token.split("."), other.split(".")
    return ".".join(rng.choice(pair) for pair in zip(one, two, strict=True))


CHANGES = (
    _bytes_changed,
    _character_changed,
    _character_removed,
    _character_added,
    _cut,
    _segment_ends_differently,
    _segments_moved,
    _standard_alphabet,
)


def test_no_changed_text_of_a_valid_token_is_accepted_that_a_judge_refuses(bench: Any) -> None:
    rng = random.Random(7519)  # reproducible, not secret
    originals = [valid(bench, name) for name in ("RS256", "ES256", "EdDSA")]
    verdicts: Counter[str] = Counter()
    start = time.perf_counter()
    for number in range(MUTANTS):
        token = originals[number % 3]
        mutant = _spliced(token, rng, rng.choice(originals)) if number % 9 == 8 else CHANGES[number % 9 - 1](token, rng)
        verdicts[judged(bench, mutant)] += 1
        if mutant not in originals:
            assert judged(bench, mutant) != "accepted", mutant
    print(f"{MUTANTS} mutants in {time.perf_counter() - start:.1f} s: {dict(verdicts.most_common())}")
    assert verdicts["malformed_token"] > 1000
    assert verdicts["signature_invalid"] > 1000


# -- changes that the issuer itself signed -------------------------------------------------------------------------------

header_members = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("typ", "crit", "b64", "custom", "zip", "enc", "nonce"), JSON)
    | {name: st.text(max_size=5) for name in ("cty", "x5t")},
)
no_null = JSON.filter(lambda value: value is not None)
claim_members = st.fixed_dictionaries(
    {},
    optional={name: JSON | st.just(...) for name in ("exp", "aud", "iss", "scp", "roles", "nonce", "typ", "custom")}
    | {name: no_null | st.just(...) for name in ("nbf", "iat", "sub", "jti")},
)


@MANY
@given(
    header=header_members,
    alg=st.sampled_from(["EdDSA", "ES256", "RS256", "PS256", "none", "HS256", "eddsa", "Ed25519"]) | JSON,
    kid=JSON | st.just("ed"),
)
def test_any_header_the_issuer_signs_is_accepted_only_if_the_judges_accept_it(
    bench: Any, header: dict[str, Any], alg: Any, kid: Any
) -> None:
    judged(bench, bench.sign(header | {"alg": alg, "kid": kid}, bench.claims()))


@MANY
@given(header=header_members)
def test_members_added_to_a_good_header_are_accepted_only_if_the_judges_accept_them(bench: Any, header: dict[str, Any]) -> None:
    judged(bench, bench.sign(header | {"alg": "EdDSA", "kid": "ed"}, bench.claims()))


@MANY
@given(changes=claim_members)
def test_any_claims_the_issuer_signs_are_accepted_only_if_the_judges_accept_them(bench: Any, changes: dict[str, Any]) -> None:
    judged(bench, bench.sign({"alg": "EdDSA", "kid": "ed"}, bench.claims(**changes)))


@MANY
@given(
    exp=st.integers(-(10**6), 10**6).filter(lambda offset: abs(offset) > CLOCKS_APART) | JSON,
    nbf=st.integers(-(10**6), 10**6).filter(lambda offset: abs(offset) > CLOCKS_APART) | no_null,
    iat=st.integers(-(10**6), 10**6).filter(lambda offset: abs(offset) > CLOCKS_APART),
    fraction=st.booleans(),
)
def test_any_times_the_issuer_signs_are_accepted_only_if_the_judges_accept_them(
    bench: Any, exp: Any, nbf: Any, iat: int, fraction: bool
) -> None:
    def at(offset: Any) -> Any:
        plain = isinstance(offset, int) and not isinstance(offset, bool) and abs(offset) <= 10**6
        return (bench.now + offset + (0.5 if fraction else 0)) if plain else offset

    judged(bench, bench.sign({"alg": "EdDSA", "kid": "ed"}, bench.claims(exp=at(exp), nbf=at(nbf), iat=at(iat))))


@MANY
@given(
    aud=st.lists(st.sampled_from(["api://jobs", "other", "api://jobs/", "API://JOBS", ""]), max_size=3)
    | JSON
    | st.text(max_size=12)
)
def test_any_audience_the_issuer_signs_is_accepted_only_if_the_judges_accept_it(bench: Any, aud: Any) -> None:
    judged(bench, bench.sign({"alg": "EdDSA", "kid": "ed"}, bench.claims(aud=aud)))


@MANY
@given(text=st.binary(max_size=60), which=st.sampled_from(["header", "claims"]))
def test_any_bytes_the_issuer_signs_are_accepted_only_if_the_judges_accept_them(bench: Any, text: bytes, which: str) -> None:
    good = {"header": b'{"alg":"EdDSA","kid":"ed"}', "claims": json.dumps(bench.claims()).encode()}
    for bad in (
        text,
        good[which] + text,
        text + good[which],
        good[which][:-1] + text + b"}",
        good[which][:-1] + b"," + text + b"}",
    ):
        texts = good | {which: bad}
        judged(bench, bench.sign(texts["header"], texts["claims"]))


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        pytest.param({}, {"nbf": None}, id="nbf null, which is a claim that is missing"),
        pytest.param({}, {"iat": None}, id="iat null"),
        pytest.param({}, {"sub": None}, id="sub null"),
        pytest.param({}, {"jti": None}, id="jti null"),
        pytest.param({"cty": 5}, {}, id="a member that decides nothing, of the wrong type"),
        pytest.param({"x5t": ["a"]}, {}, id="another one"),
        pytest.param({"jku": "not a URL"}, {}, id="an address that nobody will ask"),
    ],
)
def test_these_are_the_only_tokens_known_to_be_accepted_though_a_judge_refuses(
    bench: Any, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    token = bench.sign({"alg": "EdDSA", "kid": "ed"} | header, bench.claims(**claims))
    assert bench.verifier.verify(token).issuer == bench.issuer
    assert bench.refusals(token) != []


def test_the_properties_are_not_empty(bench: Any) -> None:
    """Many genuine variations are accepted; a verifier that refused everything would pass all the tests above."""
    accepted = [
        valid(bench, "RS256"),
        valid(bench, "ES256"),
        valid(bench, "EdDSA"),
        bench.sign({"alg": "EdDSA", "kid": "ed", "custom": {"a": [1]}}, bench.claims()),
        bench.sign({"alg": "EdDSA", "kid": "ed", "typ": "at+jwt"}, bench.claims(aud=["other", bench.audience])),
        bench.sign({"alg": "EdDSA", "kid": "ed"}, bench.claims(nbf=..., iat=...)),
        bench.sign({"alg": "EdDSA", "kid": "ed"}, bench.claims(exp=bench.now + 3600.5)),
        bench.sign(b' { "alg" : "EdDSA" , "kid" : "\\u0065d" } ', json.dumps(bench.claims(), indent=2).encode()),
    ]
    assert [judged(bench, token) for token in accepted] == ["accepted"] * len(accepted)


@MANY
@given(
    claimed=st.sampled_from(sorted(NAMES)),
    kid=st.sampled_from(["rsa", "ec", "ed", "none", None, ...]),
    signer=st.sampled_from(["rsa", "ec", "ed"]),
)
def test_no_exchange_of_algorithm_key_and_signer_is_accepted_that_a_judge_refuses(
    bench: Any, claimed: str, kid: Any, signer: str
) -> None:
    members = {"alg": claimed, "kid": kid}
    token = bench.sign({name: value for name, value in members.items() if value is not ...}, bench.claims(), signer)
    genuine = NAMES[claimed] == kid == signer and claimed != "PS256"
    assert (judged(bench, token) == "accepted") == genuine
