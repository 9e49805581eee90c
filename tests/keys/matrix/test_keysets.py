"""Sets of keys that are odd, and sets that change."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import structlog

from tokenward.keylog import log_key_event
from tokenward.keys.decision import Unavailable, Unknown, Use
from tokenward.keys.rhythm import Rhythm
from tokenward.testing import SigningKey, faults

Rig = Any  # of this folder's conftest
OpenRig = Callable[..., Rig]
Keeps = Callable[..., Any]
Serves = Callable[..., tuple[Rig, Any]]
Jwk = Mapping[str, object]
HOUR = 3600.0

RSA = SigningKey.generate("RS256", "rsa")
SMALL = SigningKey.generate("RS256", "small", size=1024)
ELLIPTIC = SigningKey.generate("ES256", "elliptic")
SECRET = {"kty": "oct", "kid": "secret", "k": "bm90LWEtc2VjcmV0"}


def altered(key: SigningKey, **members: object) -> Jwk:
    """The key's JWK with other members; None leaves one out."""
    return {name: value for name, value in {**key.jwk(), **members}.items() if value is not None}


# -- odd keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "jwks",
    [
        pytest.param([altered(RSA, use="enc"), altered(ELLIPTIC, use="enc")], id="for encryption"),
        pytest.param([SECRET, {**SECRET, "kid": "another"}], id="secrets"),
        pytest.param([SMALL.jwk()], id="1024 bits"),
        pytest.param([altered(RSA, key_ops=["encrypt"]), SECRET, SMALL.jwk()], id="of every kind"),
    ],
)
def test_f14_a_set_of_keys_that_verify_nothing_is_no_set(keeps: Keeps, jwks: list[Jwk]) -> None:
    assert keeps(faults.only(*jwks), "no_keys").detail.startswith("no usable key")


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        pytest.param(altered(RSA, n="not base64url!"), "key_malformed", id="bad n"),
        pytest.param(altered(RSA, e=None), "member_missing", id="no e"),
        pytest.param(altered(RSA, e="AQ"), "key_malformed", id="e is 1"),
        pytest.param(altered(RSA, e="BA"), "key_malformed", id="e is even"),
        pytest.param(altered(RSA, kid=5), "kid_malformed", id="kid is a number"),
        pytest.param(altered(RSA, kid=""), "kid_malformed", id="kid is empty"),
        pytest.param(altered(RSA, n="A" * 20_000), "n_malformed", id="huge n"),
        pytest.param(altered(ELLIPTIC, crv="P-384"), "key_malformed", id="another curve"),
        pytest.param(altered(ELLIPTIC, crv="P-192"), "curve_not_supported", id="unknown curve"),
        pytest.param({"kty": "AKP", "kid": "pq", "pub": "AAEC"}, "unknown_kty", id="post-quantum"),
        pytest.param(None, "not_an_object", id="null"),
    ],
)
def test_f15_one_malformed_key_does_not_fail_the_others(serves: Serves, jwk: object, reason: str) -> None:
    _, told = serves(faults.with_keys(jwk))
    assert (told.keys, told.skipped) == (1, {reason: 1})


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param(altered(RSA, d="TOP-SECRET-NUMBER"), id="RSA"),
        pytest.param(altered(ELLIPTIC, d="TOP-SECRET-NUMBER"), id="elliptic"),
        pytest.param(altered(RSA, p="TOP-SECRET-NUMBER"), id="a prime alone"),
    ],
)
def test_f16_a_published_private_key_is_skipped_and_reported_without_its_value(open_rig: OpenRig, jwk: Jwk) -> None:
    rig = open_rig()

    def observe(event: Any) -> None:
        log_key_event(event)
        rig.events.put(event)

    rig.source._observer = observe
    rig.server.always(faults.with_keys(jwk))
    with structlog.testing.capture_logs() as logged:
        assert isinstance(rig.find(rig.kid), Use)
        assert rig.refreshed().skipped == {"private_key_published": 1}
        rig.pass_time(60)
        assert rig.find(str(jwk["kid"])) == Unknown()
        rig.refreshed()
    assert [entry["log_level"] for entry in logged if entry["event"] == "private_key_published"] == ["error"] * 2
    assert "SECRET" not in repr(logged)


def test_f17_the_same_key_twice_is_one(serves: Serves) -> None:
    rig, told = serves(faults.with_keys(RSA.jwk(), RSA.jwk()))
    assert (told.keys, told.skipped) == (2, {})
    assert len(rig.find("rsa").keys) == 1


@pytest.mark.parametrize(("copies", "tried"), [pytest.param(2, 2, id="two"), pytest.param(100, 4, id="a hundred")])
def test_f17_other_keys_under_one_kid_are_tried_up_to_four(
    serves: Serves, ed25519: Callable[[], SigningKey], copies: int, tried: int
) -> None:
    twins = [ed25519().renamed("twin").jwk() for _ in range(copies)]
    rig, told = serves(faults.with_keys(*twins))
    assert len(rig.find("twin").keys) == tried
    assert told.skipped == ({"kid_repeated": copies - tried} if copies > tried else {})


# -- changes -------------------------------------------------------------------------------------------------------------


def test_f24_a_set_that_changes_after_discovery_is_the_one_that_counts(open_rig: OpenRig) -> None:
    rig = open_rig(discovery=True)
    held = faults.held()
    rig.server.next(held, path="/.well-known/openid-configuration")
    old = rig.kid
    waiting = [rig.submit(old) for _ in range(2)]
    while not rig.server.asked:
        assert not waiting[0].done()
    new = rig.issuer.rotate(keep_old=False)
    waiting.append(rig.submit(new.kid))
    held.end()
    *old_ones, of_new = [type(request.result(20)) for request in waiting]
    assert of_new is Use
    assert set(old_ones) == {Unknown, Unavailable}, "who began the fetch is sure, who joined it is not"
    assert rig.fetches == 1


def test_f24_requests_that_wait_while_the_set_changes_are_judged_by_the_new_one(open_rig: OpenRig) -> None:
    rig = open_rig(Rhythm(max_wait=60.0, fetch_timeout=60.0))  # who waits is woken by the answer, or the test fails
    rig.warm()
    rig.pass_time(60)
    slow = faults.slow()
    rig.server.next(slow)
    new = rig.issuer.keys[0].renamed("announced")
    waiting = [rig.submit("announced") for _ in range(2)]
    rig.until(lambda: len(rig.server.asked) == 2 and rig.waits == 3)
    rig.issuer.keys.append(new)
    slow.end()
    assert all(isinstance(request.result(20), Use) for request in waiting)
    assert (rig.fetches, rig.waits) == (2, 3)


def test_f24_who_joins_a_refresh_that_began_before_the_rotation_gets_503_and_the_key_when_he_comes_again(
    open_rig: OpenRig,
) -> None:
    rig = open_rig(Rhythm(max_wait=60.0, fetch_timeout=60.0))
    rig.warm()
    rig.pass_time(2 * 3600)
    held = faults.held()
    rig.server.next(held)
    assert isinstance(rig.find(rig.kid), Use)
    rig.until(lambda: len(rig.server.asked) == 2)
    new = rig.issuer.rotate()
    waiting = [rig.submit(new.kid) for _ in range(2)]
    rig.until(lambda: rig.waits == 3)
    rig.pass_time(2)
    held.end()
    assert [type(request.result(20)) for request in waiting] == [Unavailable] * 2
    assert rig.fetches == 2
    assert isinstance(rig.find(new.kid), Use)
    assert rig.fetches == 3


def test_f25_after_an_unannounced_rotation_the_first_new_token_passes_after_one_wait(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.issuer.rotate()
    old = [key.kid for key in rig.issuer.keys]
    rig.warm()
    rig.pass_time(60)
    rig.issuer.rotate(keep_old=False)
    rig.issuer.keys[:] = [rig.issuer.signing_key]
    assert isinstance(rig.find(rig.kid), Use)
    assert (rig.fetches, rig.waits) == (2, 2)
    assert rig.refreshed().removed == 2
    assert all(isinstance(rig.find(kid), Use) for kid in old), "issuers answer from replicas that disagree"
    rig.pass_time(91)
    assert not any(isinstance(rig.find(kid), Use) for kid in old)
    assert isinstance(rig.find(rig.kid), Use)


def test_f26_new_material_under_the_same_kid_serves_from_the_next_refresh_on(
    open_rig: OpenRig, ed25519: Callable[[], SigningKey]
) -> None:
    rig = open_rig()
    rig.warm()
    (old,) = rig.find(rig.kid).keys
    replaced = ed25519().renamed(rig.kid)
    rig.issuer.keys[:], rig.issuer.signing_key = [replaced], replaced
    rig.pass_time(HOUR)
    assert rig.find(rig.kid).keys == (old,), "the refresh runs behind this request"
    told = rig.refreshed()
    (new,) = rig.find(rig.kid).keys
    assert new.fingerprint != old.fingerprint
    assert (told.added, told.removed) == (0, 0)


def test_f27_a_key_that_some_replicas_lack_is_never_refused(open_rig: OpenRig) -> None:
    rig = open_rig()
    first = rig.kid
    rig.issuer.rotate()
    rig.warm()
    lacking = faults.without_key(first)
    rig.server.always(faults.replicas(None, lacking, None, None, lacking, None, None, lacking, None, None))
    begin, strangers = rig.mono(), itertools.count()
    while rig.mono() < begin + 6 * HOUR:
        assert isinstance(rig.find(first), Use)
        if rig.source.status().fetch == "in_flight":
            rig.refreshed()
        if next(strangers) % 10 == 0:  # misses cause most of the fetches
            assert not isinstance(rig.find("nobody"), Use)
            while not rig.events.empty():
                rig.refreshed()
        rig.pass_time(40)
    assert rig.fetches > 50


@pytest.mark.parametrize("well", [pytest.param(True, id="well"), pytest.param(False, id="down")])
def test_f28_a_removed_key_is_gone_when_its_grace_ends(open_rig: OpenRig, well: bool) -> None:
    rig = open_rig()
    removed = rig.kid
    rig.issuer.rotate()
    rig.warm()
    rig.issuer.keys[:] = [rig.issuer.signing_key]
    rig.pass_time(HOUR)
    assert isinstance(rig.find(removed), Use)
    assert rig.refreshed().removed == 1
    if not well:
        rig.server.always(faults.down())
    for _ in range(89):
        rig.pass_time(1)
        assert isinstance(rig.find(removed), Use)
        if rig.source.status().fetch == "in_flight":
            rig.told()
    rig.pass_time(1)
    assert isinstance(rig.find(removed), Unknown if well else Unavailable)
    assert isinstance(rig.find(rig.kid), Use)
