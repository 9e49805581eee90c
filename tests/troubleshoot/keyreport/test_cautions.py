"""What breaks verifiers is seen, each kind of it; a clean issuer gets no caution; and every caution says what to do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokenward.keys.keyset import MAX_KEYS, MAX_SAME_KID
from tokenward.keys.port import MAX_BODY_BYTES
from tokenward.keys.rhythm import Rhythm
from tokenward.testing import SigningKey
from tokenward.troubleshoot.keyreport.caution import kinds
from tokenward.troubleshoot.keyreport.report import keys_of

LOOPBACK = "http_address"
"""The one caution that every issuer of these tests gets."""


def _names(issuer: Any, **options: Any) -> set[str]:
    return {caution.name for caution in keys_of(issuer.issuer, **options).cautions}


def test_a_clean_issuer_gets_no_caution(publishing: Any) -> None:
    assert _names(publishing) == {LOOPBACK}


# -- keys --------------------------------------------------------------------------------------------------------------

FLAWS: list[Any] = [
    pytest.param(lambda jwk: [{**jwk, "d": "AQAB"}], "private_key_published", id="a private exponent"),
    pytest.param(lambda jwk: [jwk, {"kty": "oct", "kid": "s", "k": "AQAB"}], "secret_published", id="a symmetric key"),
    pytest.param(
        lambda jwk: [jwk, {"kty": "AKP", "kid": "p", "priv": "AQAB"}], "private_key_published", id="a post-quantum seed"
    ),
    pytest.param(lambda jwk: [jwk, jwk], "kid_repeated", id="the same key twice"),
    pytest.param(lambda jwk: [jwk, {**jwk, "e": "AAAB"}], "kid_repeated", id="two keys of one kid"),
    pytest.param(lambda jwk: [{**jwk, "kid": None}], "kid_missing", id="no kid"),
    pytest.param(lambda jwk: [jwk, {**jwk, "kid": "e", "e": "AQAAAAE"}], "rsa_exponent", id="a large exponent"),
    pytest.param(lambda jwk: [jwk, {**jwk, "kid": "n", "n": "not base64url!"}], "key_malformed", id="no base64url"),
    pytest.param(lambda jwk: [jwk, {**jwk, "kid": 7}], "key_malformed", id="a number for a kid"),
    pytest.param(lambda jwk: [jwk, "a text"], "key_malformed", id="a text among the keys"),
    pytest.param(lambda jwk: [jwk, {"kty": "AKP", "kid": "p", "alg": "ML-DSA-44"}], "kind_not_used", id="another kind of key"),
    pytest.param(lambda jwk: [{**jwk, "alg": "ES256"}], "members_contradict", id="alg of another kty"),
    pytest.param(lambda jwk: [{**jwk, "alg": "RSA-OAEP"}], "members_contradict", id="alg of encryption, use of signatures"),
    pytest.param(
        lambda jwk: [{**jwk, "use": "enc", "alg": "RS256"}], "members_contradict", id="alg of signatures, use of encryption"
    ),
    pytest.param(lambda jwk: [{**jwk, "key_ops": ["sign"]}], "members_contradict", id="a public key that signs"),
    pytest.param(lambda jwk: [{**jwk, "use": "enc", "key_ops": ["verify"]}], "members_contradict", id="use against key_ops"),
    pytest.param(lambda jwk: [{**jwk, "x5c": ["not a certificate"]}], "certificate_unreadable", id="no certificate"),
    pytest.param(lambda jwk: [{**jwk, "x5c": []}], "certificate_unreadable", id="an empty chain"),
    pytest.param(lambda jwk: [{**jwk, "x5t": "AAAA"}], "thumbprint_differs", id="x5t"),
    pytest.param(lambda jwk: [{**jwk, "x5t#S256": "AAAA"}], "thumbprint_differs", id="x5t#S256"),
    pytest.param(lambda jwk: [{**jwk, "issuer": "https://other.example/"}], "bound_elsewhere", id="a binding to another issuer"),
    pytest.param(lambda jwk: [{**jwk, "alg": "PS256"}], "algorithm_not_served", id="nothing for RS256"),
]


@pytest.mark.parametrize(("spoiled", "name"), FLAWS)
def test_a_flaw_of_a_key_is_told(publishing: Any, spoiled: Callable[[dict[str, object]], list[object]], name: str) -> None:
    publishing.listed = spoiled(publishing.jwks()["keys"][0])
    assert name in _names(publishing)


@pytest.mark.parametrize("kid", [["x"], {"x": 1}, 7, None])
def test_a_kid_that_is_no_text_beside_a_repeated_one_ends_in_no_exception(publishing: Any, kid: object) -> None:
    [jwk, *_] = publishing.jwks()["keys"]
    publishing.listed = [jwk, jwk, {**jwk, "kid": kid}]
    assert "kid_repeated" in _names(publishing)


def test_a_weak_key_is_told(publishing: Any) -> None:
    publishing.listed = [publishing.jwks()["keys"][0], SigningKey.generate("RS256", "small", size=1024).jwk()]
    assert "rsa_size" in _names(publishing)


def test_an_alg_that_is_not_of_the_keys_curve_makes_it_useless(publishing: Any) -> None:
    publishing.listed = [SigningKey.generate("ES256", "curve", alg="ES384").jwk()]
    report = keys_of(publishing.issuer)
    assert [(row.usable, row.reason) for row in report.keys] == [(False, "alg_not_supported")]
    assert "members_contradict" in {caution.name for caution in report.cautions}


@pytest.mark.parametrize(
    ("begins", "ends", "seen"),
    [
        pytest.param(-9, -1, "expired", id="expired"),
        pytest.param(1, 9, "not valid yet", id="not valid yet"),
        pytest.param(-9, 9, None, id="current"),
    ],
)
def test_a_certificate_that_is_not_current_is_told(
    publishing: Any, certificate: Callable[..., str], begins: int, ends: int, seen: str | None
) -> None:
    key = publishing.keys[0]
    jwk = {name: value for name, value in key.jwk().items() if name != "x5t"}
    publishing.listed = [{**jwk, "x5c": [certificate(key, begins, ends)]}]
    report = keys_of(publishing.issuer)
    told = [caution.seen for caution in report.cautions if caution.name == "certificate_not_current"]
    assert told == ([] if seen is None else [seen])
    assert report.keys[0].usable  # certificates are not the verifier's business


def test_a_certificate_of_another_key_is_told(publishing: Any, new_key: Any, certificate: Callable[..., str]) -> None:
    jwk, other = publishing.jwks()["keys"][0], new_key()
    publishing.listed = [{**jwk, "x5c": [certificate(other, -1, 1)]}]
    assert {"certificate_of_another_key", "thumbprint_differs"} <= _names(publishing)


@pytest.mark.parametrize(("count", "verdict"), [(MAX_KEYS, "usable"), (MAX_KEYS + 1, "refused")])
def test_a_set_near_its_bound_is_told(publishing: Any, okp_jwk_of: Callable[[int], object], count: int, verdict: str) -> None:
    publishing.listed = [okp_jwk_of(number) for number in range(count)]
    report = keys_of(publishing.issuer)
    assert "keys_near_bound" in {caution.name for caution in report.cautions}
    assert report.verdict == verdict
    assert {row.usable for row in report.keys} == {verdict == "usable"}


@pytest.fixture
def okp_jwk_of() -> Callable[[int], object]:
    jwk = SigningKey.generate("EdDSA").jwk()
    return lambda number: {"kty": "OKP", "crv": "Ed25519", "kid": str(number), "x": jwk["x"]}


# -- answers -----------------------------------------------------------------------------------------------------------

SERVED: list[Any] = [
    pytest.param({"content-type": "text/plain"}, "content_type", id="plain text"),
    pytest.param({"content-type": None}, "content_type", id="no Content-Type"),
    pytest.param({"cache-control": None}, "cache_not_said", id="no Cache-Control"),
    pytest.param({"cache-control": "public"}, "cache_not_said", id="no max-age"),
    pytest.param({"cache-control": "no-store"}, "cache_too_short", id="no-store"),
    pytest.param({"cache-control": "max-age=15"}, "cache_too_short", id="seconds"),
    pytest.param({"cache-control": "max-age=2592000"}, "cache_too_long", id="a month"),
]


@pytest.mark.parametrize(("headers", "name"), SERVED)
def test_a_flaw_of_how_it_is_served_is_told(publishing: Any, headers: dict[str, str | None], name: str) -> None:
    publishing.sent |= headers
    report = keys_of(publishing.issuer)
    assert {caution.name for caution in report.cautions} == {LOOPBACK, name}
    assert report.verdict == "usable"


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        pytest.param(0.0, False, id="the same time"),
        pytest.param(3600.0, True, id="our clock an hour ahead"),
        pytest.param(-40.0, True, id="our clock behind"),
    ],
)
def test_clocks_that_differ_are_told(publishing: Any, ahead: float, told: bool) -> None:
    assert ("clock_skew" in _names(publishing, clock=lambda: time.time() + ahead)) is told


def test_a_date_that_a_cache_repeats_is_no_skew(publishing: Any) -> None:
    publishing.sent["age"] = "3600"
    assert "clock_skew" not in _names(publishing, clock=lambda: time.time() + 3600)


SAID: list[Any] = [
    pytest.param("{issuer_without_slash}", "only the slash", id="the slash at the end"),
    pytest.param("{ISSUER}", "upper and lower case", id="case"),
    pytest.param("https://login.microsoftonline.com/{{tenantid}}/v2.0", "many tenants", id="a template"),
    pytest.param("https://other.example/", "in place of", id="another issuer"),
]


@pytest.mark.parametrize(("said", "seen"), SAID)
def test_another_issuer_in_the_document_is_refused_and_explained(publishing: Any, said: str, seen: str) -> None:
    own = publishing.issuer
    publishing.said["issuer"] = said.format(issuer_without_slash=own.rstrip("/"), ISSUER=own.replace("/idp/", "/IDP/"))
    report = keys_of(own)
    (caution,) = [caution for caution in report.cautions if caution.name == "issuer_differs"]
    assert seen in caution.seen
    assert (report.verdict, report.refresh_after) == ("refused", None)
    assert report.next
    assert len(report.keys) == 1  # they are shown all the same


def test_keys_on_another_host_are_told(publishing: Any) -> None:
    publishing.said["jwks_uri"] = publishing.jwks_uri.replace("127.0.0.1", "localhost")
    report = keys_of(publishing.issuer)
    assert "jwks_uri_elsewhere" in {caution.name for caution in report.cautions}


@pytest.mark.parametrize(
    ("mode", "verdict", "kind", "name"),
    [
        pytest.param("redirect", "refused", "redirect", "redirect", id="a redirect"),
        pytest.param("too_large", "refused", "too_large", "size_near_bound", id="a body without end"),
        pytest.param("html", "refused", "not_json", "content_type", id="a login page"),
        pytest.param("empty", "refused", "metadata", None, id="an empty set for a document"),
        pytest.param("garbage", "refused", "not_json", None, id="no JSON"),
        pytest.param("status", "unreachable", "status", None, id="503"),
        pytest.param("reset", "unreachable", "read", None, id="a broken connection"),
        pytest.param("down", "unreachable", "connect", None, id="nobody there"),
    ],
)
def test_an_issuer_that_fails_is_a_report_with_a_next_step(
    publishing: Any, mode: Any, verdict: str, kind: str, name: str | None
) -> None:
    publishing.fail(mode)
    publishing.sent = {}
    report = keys_of(publishing.issuer)
    assert (report.verdict, (report.failure or "").partition(":")[0], report.keys) == (verdict, kind, ())
    assert report.next
    assert name is None or name in {caution.name for caution in report.cautions}


@pytest.mark.parametrize(("status", "verdict"), [(404, "refused"), (403, "refused"), (429, "unreachable"), (500, "unreachable")])
def test_a_status_says_whether_asking_again_helps(publishing: Any, status: int, verdict: str) -> None:
    publishing.fail("status", status=status)
    assert keys_of(publishing.issuer).verdict == verdict


def test_a_document_near_the_bound_is_told(publishing: Any, padded_jwks: Callable[[Any, int], bytes]) -> None:
    publishing.body = padded_jwks(publishing, MAX_BODY_BYTES)
    report = keys_of(publishing.issuer)
    assert ("size_near_bound" in {caution.name for caution in report.cautions}, report.verdict) == (True, "usable")


# -- texts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(kinds()))
def test_every_kind_of_caution_says_what_tokenward_does_what_to_change_and_who_says_so(name: str) -> None:
    assert kinds()[name].keys() - {"others"} == {"weight", "problem", "tokenward", "fix", "source"}
    assert all(kinds()[name].values())


def test_every_kind_of_caution_is_seen_in_these_tests() -> None:
    here = {case.values[1] for case in [*FLAWS, *SERVED]}
    others = {"rsa_size", "certificate_not_current", "certificate_of_another_key", "keys_near_bound", "clock_skew"}
    places = {"issuer_differs", "issuer_elsewhere", "jwks_uri_elsewhere", "redirect", "size_near_bound", LOOPBACK}
    assert here | others | places == set(kinds())


@pytest.mark.parametrize(
    ("name", "number"),
    [
        pytest.param("keys_near_bound", str(MAX_KEYS), id="keys in a set"),
        pytest.param("kid_repeated", {4: "four"}[MAX_SAME_KID], id="keys of one kid"),
        pytest.param("size_near_bound", f"{MAX_BODY_BYTES // 2**20} MiB", id="bytes"),
        pytest.param("cache_too_short", f"{Rhythm().refresh_floor / 60:.0f} minutes", id="the shortest interval"),
        pytest.param("cache_not_said", {3600.0: "every hour"}[Rhythm().refresh_interval], id="the interval"),
    ],
)
def test_the_texts_name_the_verifiers_own_numbers(name: str, number: str) -> None:
    assert number in kinds()[name]["tokenward"]


def test_the_docs_list_every_kind_of_caution_with_its_weight() -> None:
    page = (Path(__file__).parents[3] / "docs" / "keys.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", page, re.MULTILINE))
    assert listed == {(name, kind["weight"], kind["problem"]) for name, kind in kinds().items()}
