"""What the issuer's keys and its clock tell: every reason why no key serves is told apart, over real HTTP where time is in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tokenward import Issuer, Policy
from tokenward.keys.port import Fetch, FetchRequest, FetchResponse
from tokenward.testing import ABSENT, HandClock, IssuerServer, LocalIssuer, SigningKey
from tokenward.testing.claims import HOME_TENANT
from tokenward.troubleshoot.keyreport.next_step import NEXT
from tokenward.troubleshoot.keyreport.why import why


def _weak() -> object:
    return SigningKey.generate("RS256", size=1024).jwk()["n"]


def _private(jwk: dict[str, object]) -> dict[str, object]:
    return {**jwk, "d": "c2VjcmV0"}


def _elliptic(jwk: dict[str, object]) -> dict[str, object]:
    return dict(SigningKey.generate("ES256", str(jwk["kid"])).jwk())


def _publishing(bench: Any, keys: Callable[[dict[str, object]], list[dict[str, object]]]) -> Fetch:
    """The issuer, with what is made of its key in place of its keys."""

    def fetch(request: FetchRequest) -> FetchResponse:
        answer = bench.issuer.fetch(request)
        document = json.loads(answer.body)
        if "keys" in document:
            document = {"keys": keys(document["keys"][0])}
        return FetchResponse(answer.status, answer.headers, json.dumps(document).encode())

    return fetch


def _bound(tenant: str) -> Callable[[dict[str, object]], dict[str, object]]:
    return lambda jwk: {**jwk, "issuer": f"https://login.microsoftonline.com/{tenant}/v2.0"}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        pytest.param(_private, "unknown_key", why("private_key_published"), id="a private key is published"),
        pytest.param(lambda jwk: {**jwk, "use": "enc"}, "unknown_key", why("not_for_signatures"), id="a key for encryption"),
        pytest.param(
            lambda jwk: {**jwk, "alg": "RS512"},
            "unknown_key",
            "published for another alg than the token's",
            id="a key for another alg",
        ),
        pytest.param(_elliptic, "unknown_key", "is of another type than its alg", id="a key of another type"),
        pytest.param(lambda jwk: {**jwk, "kid": None}, "unknown_key", "at least one has none", id="a key without a name"),
        pytest.param(lambda jwk: {**jwk, "n": _weak()}, "unknown_key", why("rsa_size"), id="a weak key"),
        pytest.param(lambda jwk: {**jwk, "n": "!"}, "unknown_key", why("key_malformed"), id="a damaged key"),
        pytest.param(lambda jwk: {**jwk, "kid": "newer"}, "unknown_key", "does not publish this key now", id="rotated since"),
        pytest.param(_bound(HOME_TENANT), "key_not_for_issuer", "bound to another issuer", id="a key of another tenant"),
        pytest.param(
            lambda jwk: {**jwk, "cloud_instance_name": "microsoftonline.us"},
            "key_not_for_issuer",
            "the policy's cloud",
            id="a key of another cloud",
        ),
    ],
)
def test_why_a_published_key_does_not_serve_is_told(bench: Any, new_key: Any, change: Any, code: str, words: str) -> None:
    spare = new_key().jwk() | {"kid": "spare"}
    report = bench.explain(bench.issuer.user_token(), fetch=_publishing(bench, lambda jwk: [change(jwk), spare]))
    check = bench.check(report, "signature")
    assert (report.code, check.code, check.verdict) == (code, code, "failed")
    assert words in check.finding.fix
    assert "c2VjcmV0" not in json.dumps(report.to_json())


@pytest.mark.parametrize(
    ("change", "reason", "note"),
    [
        pytest.param(_private, "private_key_published", "publishes a private key", id="private"),
        pytest.param(lambda jwk: {**_private(jwk), "use": "enc"}, "private_key_published", "publishes a private key", id="both"),
        pytest.param(
            lambda jwk: {"kty": "oct", "kid": jwk["kid"], "k": "c2VjcmV0"},
            *("private_key_published", "publishes a private key (or a secret)"),
            id="a secret",
        ),
        pytest.param(lambda jwk: {**jwk, "n": _weak()}, "rsa_size", "1 RSA key(s) below 2048", id="weak"),
        pytest.param(lambda jwk: {**jwk, "use": "enc"}, "not_for_signatures", None, id="for encryption"),
        pytest.param(lambda jwk: {**jwk, "key_ops": ["encrypt"]}, "not_for_verification", None, id="for encryption, by key_ops"),
    ],
)
def test_keys_that_were_fetched_are_not_said_to_be_missing_where_none_is_usable(
    bench: Any, change: Any, reason: str, note: str | None
) -> None:
    report = bench.explain(bench.issuer.user_token(), fetch=_publishing(bench, lambda jwk: [change(jwk)]))
    check = bench.check(report, "signature")
    assert (report.code, check.verdict) == ("keys_unavailable", "open")
    assert check.finding.seen == f"not checked: the keys were fetched, and none is usable: {why(reason)}"
    assert check.finding.fix.startswith(NEXT["no_keys"])
    assert [note is not None and note in said for said in report.notes] == [True] * (note is not None)
    assert "c2VjcmV0" not in json.dumps(report.to_json())


def test_a_key_set_of_nothing_has_no_reasons(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token(), fetch=_publishing(bench, lambda _: []))
    assert str(bench.check(report, "signature").finding.seen).endswith("the keys were fetched, and none is usable")


def test_the_only_key_without_a_name_is_not_said_to_be_rotated(bench: Any) -> None:
    fetch = _publishing(bench, lambda jwk: [{name: value for name, value in jwk.items() if name != "kid"}])
    report = bench.explain(bench.issuer.user_token(), fetch=fetch)
    fix = bench.check(report, "signature").finding.fix
    assert (report.code, "Have the issuer publish kid" in fix, "rotated" in fix) == ("unknown_key", True, False)
    assert bench.explain(bench.issuer.user_token(header={"kid": ABSENT}), fetch=fetch).accepted


def test_a_published_private_key_is_told_whatever_the_token_is_signed_with(bench: Any, new_key: Any) -> None:
    odd = new_key().renamed("odd", d="c2VjcmV0")
    bench.issuer.keys.insert(0, odd)
    bench.issuer.signing_key = bench.issuer.rotate()
    report = bench.explain(bench.issuer.user_token())
    assert report.accepted
    assert any("publishes a private key" in note for note in report.notes)


def test_weak_keys_are_counted(bench: Any) -> None:
    bench.issuer.publish_odd_keys()
    report = bench.explain(bench.issuer.user_token())
    assert report.accepted
    assert any("1 RSA key(s) below 2048" in note for note in report.notes)


def test_an_old_token_of_a_withdrawn_key_is_told_apart_from_a_strange_one(bench: Any) -> None:
    token = bench.issuer.user_token()
    bench.issuer.rotate(keep_old=False)
    bench.issuer.keys[:] = [bench.issuer.signing_key]
    fresh = bench.check(bench.explain(token), "signature").finding.fix
    late = bench.check(bench.explain(token, now=bench.wall() + 7200), "signature").finding.fix
    assert "does not publish this key now" in fresh
    assert "rotated its keys since" in late


def test_a_token_without_kid_needs_an_issuer_with_one_key(bench: Any) -> None:
    bench.issuer.rotate()
    token = bench.issuer.user_token(header={"kid": None})
    assert bench.explain(token).code == "malformed_token"  # null is no kid
    report = bench.explain(bench.issuer.user_token(header={"kid": ABSENT}))
    assert (report.code, "names no key" in bench.check(report, "signature").finding.fix) == ("unknown_key", True)


def test_a_forgery_is_told(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token(key=bench.issuer.stranger_key()))
    assert (report.code, bench.failed(report)) == ("signature_invalid", {"signature"})
    assert "forged" in report.next


def test_keys_in_the_policy_need_nobody(bench: Any) -> None:
    issuer = bench.issuer
    name = f"https://login.microsoftonline.com/{issuer.tenant}/v2.0"
    policy = Policy([Issuer(name, audiences=[issuer.client_id], jwks=dict(issuer.jwks()))])
    report = bench.explain(issuer.user_token(), policy, offline=True)
    assert (report.accepted, issuer.requests) == (True, [])


def test_a_key_of_the_policys_own_without_a_name_is_its_owners_to_mend(bench: Any) -> None:
    issuer = bench.issuer
    name = f"https://login.microsoftonline.com/{issuer.tenant}/v2.0"
    nameless = [{member: value for member, value in jwk.items() if member != "kid"} for jwk in issuer.jwks()["keys"]]
    policy = Policy([Issuer(name, audiences=[issuer.client_id], jwks={"keys": nameless})])
    report = bench.explain(issuer.user_token(), policy, offline=True)
    assert "kid included" in bench.check(report, "signature").finding.fix


@pytest.mark.parametrize(
    ("mode", "options", "word"),
    [
        pytest.param("status", {"status": 500}, "Try again", id="an error of the server"),
        pytest.param("status", {"status": 404}, "Check the address", id="an error of ours"),
        pytest.param("html", {}, "login page", id="a login page"),
        pytest.param("garbage", {}, "login page", id="no JSON"),
        pytest.param("empty", {}, "metadata", id="an empty document"),
        pytest.param("redirect", {}, "that it redirects to", id="a redirect"),
        pytest.param("reset", {}, "network", id="a broken connection"),
    ],
)
def test_keys_that_cannot_be_had_leave_the_verdict_open(bench: Any, mode: Any, options: Any, word: str) -> None:
    bench.issuer.fail(mode, **options)
    report = bench.explain(bench.issuer.user_token())
    assert (report.verdict, report.code, report.failures) == ("undecided", "keys_unavailable", ())
    assert bench.check(report, "signature").verdict == "open"
    assert word in report.next or mode == "empty"
    expired = bench.explain(bench.issuer.user_token(lifetime=-10))
    assert (expired.verdict, expired.code) == ("refused", "token_expired")


def test_offline_nobody_is_asked(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token(), offline=True)
    assert (report.verdict, report.code, bench.issuer.requests) == ("undecided", "keys_unavailable", [])
    assert "offline" in report.next


def test_a_fetch_that_raises_anything_is_a_failed_fetch(bench: Any) -> None:
    def fetch(request: FetchRequest) -> FetchResponse:
        raise RuntimeError("a text that may quote anything")

    report = bench.explain(bench.issuer.user_token(), fetch=fetch)
    assert report.verdict == "undecided"
    assert "quote" not in json.dumps(report.to_json())


# -- the clock ---------------------------------------------------------------------------------------------------------


def _over_http(bench: Any, token: str, ahead: float) -> Any:
    """Explained on a machine whose clock is so many seconds ahead, with a real server's Date."""
    clock = HandClock(bench.wall() + ahead)
    with IssuerServer(bench.issuer):
        return bench.explain(token, bench.policy(), clock=clock, fetch=None)


def test_a_clock_that_is_right_is_not_spoken_of(bench: Any) -> None:
    report = _over_http(bench, bench.issuer.user_token(), 0)
    assert report.accepted
    assert report.clock_skew is not None
    assert report.notes == ()


@pytest.mark.parametrize(
    ("ahead", "lifetime", "code", "words"),
    [
        pytest.param(
            7200, 3600, "token_expired", ("ahead of the issuer's", "exp would hold"), id="ahead: a good token looks expired"
        ),
        pytest.param(-7200, 3600, "token_not_yet_valid", ("behind the issuer's", "nbf and iat would hold"), id="behind: not yet"),
        pytest.param(
            -500,
            -100,
            "token_not_yet_valid",
            ("behind", "would hold, and exp would fail:"),
            id="behind: an ended token",
        ),
        pytest.param(600, 3600, None, ("ahead", "say the same"), id="ahead, and it does no harm"),
    ],
)
def test_what_a_wrong_clock_does_is_told_with_the_verdict_by_the_issuers(
    bench: Any, ahead: float, lifetime: float, code: str | None, words: tuple[str, ...]
) -> None:
    report = _over_http(bench, bench.issuer.user_token(lifetime=lifetime), ahead)
    assert report.code == code
    assert abs((report.clock_skew or 0) - ahead) < 60
    (note,) = [note for note in report.notes if "clock" in note]
    assert [word for word in words if word not in note] == []


def test_the_time_of_a_cached_answer_is_corrected_by_its_age(bench: Any) -> None:
    def fetch(request: FetchRequest) -> FetchResponse:
        answer = bench.issuer.fetch(request)
        told = {**answer.headers, "date": "Tue, 15 Nov 1994 08:12:31 GMT", "age": "100"}
        return FetchResponse(answer.status, told, answer.body)

    report = bench.explain(bench.issuer.user_token(), fetch=fetch)
    assert report.clock_skew == bench.wall() - (784_887_151 + 100) - 1  # of the second that a Date counts, all may be over


@pytest.mark.parametrize(
    "date", ["", "yesterday", "x" * 5000, "Tue, 99 Nov 1994 99:99:99 GMT"], ids=["none", "a word", "long", "odd"]
)
def test_a_date_that_is_none_says_nothing(bench: Any, date: str) -> None:
    def fetch(request: FetchRequest) -> FetchResponse:
        answer = bench.issuer.fetch(request)
        return FetchResponse(answer.status, {**answer.headers, "date": date}, answer.body)

    report = bench.explain(bench.issuer.user_token(), fetch=fetch)
    assert report.accepted


def test_no_address_of_the_token_is_ever_asked(bench: Any) -> None:
    issuer: LocalIssuer = bench.issuer
    header = {"jku": "https://evil.example/keys", "x5u": "https://evil.example/x", "jwk": SigningKey.generate("ES256").jwk()}
    bench.explain(issuer.user_token(header=header, claims={"iss": "https://evil.example/"}))
    bench.explain(issuer.user_token(header=header))
    assert {url.split("/")[2] for url in issuer.requests} <= {"login.microsoftonline.com"}
