"""The operator's events: bounded, escaped, summed up in a flood, and never a token, a key or a person in them."""

from __future__ import annotations

import hashlib
import json
import threading
import traceback
from types import MappingProxyType
from typing import Any

import pytest
import structlog
from structlog.testing import CapturingLogger

from tokenward import AuthenticationError, Identity, KeysUnavailable, Policy, PolicyError, entra
from tokenward.diagnostics import MAX_ITEMS, MAX_TEXT, Diagnostics, event_fields, shown
from tokenward.errors import AudienceNotAccepted, ClaimMalformed, MissingToken, SignatureInvalid, TokenExpired, TokenTooLarge
from tokenward.keylog import log_key_event
from tokenward.keys.events import KeyEvent, KeysRefreshed, KeysRefreshFailed
from tokenward.redaction import fingerprint_of

PERSONAL = [
    *("sub", "oid", "upn", "unique_name", "preferred_username", "email", "name", "given_name", "family_name", "ipaddr", "groups"),
    *("phone_number", "puid", "onprem_sid", "in_corp", "acct", "idp", "jti", "uti", "rh", "sid", "amr", "xms_cc", "address"),
]


class Events:
    """Takes the place of a structlog logger, and keeps what it is given."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.seen.append(("info", event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.seen.append(("warning", event, fields))

    def error(self, event: str, **fields: Any) -> None:
        self.seen.append(("error", event, fields))

    def named(self, event: str) -> list[dict[str, Any]]:
        return [fields for _, name, fields in self.seen if name == event]


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def events() -> Events:
    return Events()


def test_a_rejection_is_one_event_with_everything_an_operator_asks_for(desk: Any, events: Events) -> None:
    provider = desk.provider({"https://idp.example/keys": desk.jwks()})
    verifier = desk.verifier(desk.rule(jwks=..., jwks_uri="https://idp.example/keys"), fetch=provider)
    error = desk.rejection(lambda: verifier.verify(desk.token(desk.claims(aud="api://other"))))
    assert error.signature_held is False  # the keys were not fetched yet, and this token was not worth a fetch
    verifier.verify(desk.token())
    token = desk.token(desk.claims(aud="api://other"))
    error = desk.rejection(lambda: verifier.verify(token))
    Diagnostics(logger=events).rejected(error, method="GET", path="/jobs")
    ((level, name, fields),) = events.seen
    assert (level, name) == ("warning", "token_rejected")
    assert fields.pop("key_age") >= 0.0
    assert fields == {
        "code": "audience_not_accepted",
        "status": 401,
        "reason": "aud is not this service",
        "hint": error.hint,
        "claim": "aud",
        "expected": ["api://jobs"],
        "seen": "api://other",
        "issuer": "https://idp.example/",
        "kid": "kid-rsa",
        "alg": "RS256",
        "signature_held": True,
        "fingerprint": hashlib.sha256(token.encode()).hexdigest()[:12],
        "docs": "docs/codes.md#audience_not_accepted",
        "method": "GET",
        "path": "/jobs",
    }


@pytest.mark.parametrize(
    ("changes", "header"),
    [
        pytest.param({}, {"alg": "none"}, id="by its header"),
        pytest.param({"iss": "https://stranger.example/"}, {}, id="by its issuer"),
        pytest.param({"exp": 1}, {}, id="by its time"),
    ],
)
def test_a_refused_token_is_known_by_its_fingerprint_wherever_it_was_refused(desk: Any, changes: Any, header: Any) -> None:
    token = desk.token(desk.claims(**changes), **header)
    error = desk.rejection(lambda: desk.verifier(desk.rule()).verify(token))
    assert error.fingerprint == fingerprint_of(token.encode()) == hashlib.sha256(token.encode()).hexdigest()[:12]


def test_a_remembered_token_that_a_check_refuses_has_its_fingerprint(desk: Any) -> None:
    refuses = False

    def check(identity: Identity) -> None:
        if refuses:
            raise TokenExpired("early")

    verifier = desk.verifier(policy=Policy([desk.rule()], checks=[check]))
    token = desk.token()
    verifier.verify(token)
    refuses = True
    assert desk.rejection(lambda: verifier.verify(token)).fingerprint == fingerprint_of(token.encode())


@pytest.mark.parametrize("text", ["hunter2", "a.b.c", "correct.horse.battery"])
def test_what_is_no_token_gets_no_fingerprint_as_it_could_be_guessed_by_it(desk: Any, text: str) -> None:
    error = desk.rejection(lambda: desk.verifier(desk.rule()).verify(text))
    assert (error.code, error.fingerprint) == ("malformed_token", None)


def test_what_another_servers_error_means_is_told_escaped_and_bounded() -> None:
    class Refused(TokenExpired):
        upstream = MappingProxyType({"upstream_error": "AADSTS65001", "first_step": "ask\n" * 200})

    fields = event_fields(Refused())
    assert fields["upstream_error"] == "AADSTS65001"
    assert "\n" not in str(fields["first_step"])
    assert len(str(fields["first_step"])) <= MAX_TEXT + 3


def test_docs_lead_to_pages_of_ones_own(events: Events) -> None:
    Diagnostics(logger=events, docs="https://wiki.example/tokens/").rejected(TokenExpired(), method="GET", path="/")
    assert events.named("token_rejected")[0]["docs"] == "https://wiki.example/tokens/token_expired"


def test_a_refusal_for_another_reason_leads_to_the_page_of_its_code_too(events: Events) -> None:
    Diagnostics(logger=events).refused("path_not_allowed", {"docs": "elsewhere"}, method="GET", path="/")
    Diagnostics(logger=events, docs="https://wiki.example/#").refused("draining", {}, method="GET", path="/")
    seen = [fields["docs"] for fields in events.named("request_refused")]
    assert seen == ["docs/codes.md#path_not_allowed", "https://wiki.example/#draining"]


@pytest.mark.parametrize(
    ("error", "level"),
    [(MissingToken(), "info"), (TokenExpired(), "warning"), (KeysUnavailable(retry_after=2.345), "error")],
    ids=["nobody logs a visitor without a token as a warning", "a refused token is a warning", "our own inability is an error"],
)
def test_the_level_says_whose_concern_it_is(events: Events, error: AuthenticationError, level: str) -> None:
    Diagnostics(logger=events).rejected(error, method="GET", path="/")
    assert [seen[0] for seen in events.seen] == [level]


def test_retry_after_and_key_age_are_rounded() -> None:
    error = KeysUnavailable(retry_after=2.345)
    error.key_age = 12.3456
    assert (event_fields(error)["retry_after"], event_fields(error)["key_age"]) == (2.3, 12.3)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(None, None, id="None"),
        pytest.param(True, True, id="a boolean"),
        pytest.param(1.5, 1.5, id="a number"),
        pytest.param("api://jobs", "api://jobs", id="a plain text"),
        pytest.param("a\r\nb\x1b[31m", "a\\r\\nb\\x1b[31m", id="line breaks and terminal escapes"),
        pytest.param("caf\xe9\u202e\u20ac", "caf\\xe9\\u202e\\u20ac", id="text outside ASCII"),
        pytest.param("\ud800", "\\ud800", id="a lone surrogate"),
        pytest.param("x" * 200, "x" * 200, id="a text of the greatest length"),
        pytest.param("x" * 201, "x" * 200 + "...", id="a text too long"),
        pytest.param("x" * 1_000_000, "x" * 200 + "...", id="a text far too long"),
        pytest.param("\u20ac" * 100, ("\\u20ac" * 100)[:200] + "...", id="a text too long once escaped"),
        pytest.param(["a", "b"], ["a", "b"], id="a list"),
        pytest.param([str(number) for number in range(12)], [*map(str, range(10)), "... 2 more"], id="a list too long"),
        pytest.param({"a": 1}, "<dict>", id="an object"),
        pytest.param([{"a": 1}], ["<dict>"], id="an object in a list"),
        pytest.param([["a"] * 100], ["<list>"], id="a list in a list"),
        pytest.param(b"bytes", "<bytes>", id="bytes"),
        pytest.param(object(), "<object>", id="anything else"),
    ],
)
def test_what_a_stranger_wrote_is_bounded_and_escaped(value: object, expected: object) -> None:
    assert shown(value) == expected


def test_sets_are_shown_as_lists() -> None:
    assert shown(frozenset({"a"})) == ["a"]
    assert shown(("a", "b")) == ["a", "b"]


@pytest.mark.parametrize("value", [10**400, -(10**4000)], ids=["400 digits", "4000 digits"])
def test_a_number_is_bounded_too(value: int) -> None:
    event = event_fields(ClaimMalformed(claim="ver", actual=value))
    assert len(json.dumps(event, default=str)) < 2000


def test_what_looks_like_a_token_is_taken_out(desk: Any) -> None:
    token = desk.token()
    pat = "dapi0123456789abcdef0123456789abcdef-2"
    for text in (token, f"Bearer {token}", token.split(".")[0], f"x{token}", pat, f"/jobs/{pat}", ("x" * 190) + token):
        masked = str(shown(text))
        assert "eyJ" not in masked
        assert pat not in masked
        assert token.split(".")[2][:20] not in masked
    assert shown(["a", token]) == ["a", "<token>..."]


@pytest.mark.parametrize(
    "place", ["kid", "iss", "aud", "tid", "ver", "azp", "scp", "roles", "typ", "token_use", "path", "method"]
)
def test_a_token_hidden_in_a_shown_field_is_not_logged(desk: Any, events: Events, place: str) -> None:
    inner = desk.token()
    verifier = desk.verifier(desk.rule(required_scopes=["x"], required_values={"ver": "1"}))
    outer = desk.token(kid=inner[:200]) if place == "kid" else desk.token(desk.claims(**{place: inner}))
    error = desk.rejection(lambda: verifier.verify(outer))
    Diagnostics(logger=events).rejected(
        error, method=inner if place == "method" else "GET", path=f"/{inner}" if place == "path" else "/"
    )
    logged = json.dumps(events.seen)
    assert "eyJ" not in logged
    assert inner.split(".")[2] not in logged


# -- nothing personal, no token, no key, anywhere ------------------------------------------------------------------------


def _bad_tokens(desk: Any) -> dict[str, tuple[Any, str]]:
    """For each way to be refused: a verifier and a token whose personal claims are all canaries."""
    personal = {name: f"canary-{name}" for name in PERSONAL if name not in {"acct", "idp", "groups", "amr", "xms_cc"}}
    personal |= {"groups": ["canary-group"], "address": {"street": "canary-street"}, "scp": "a", "azp": "app"}  # type: ignore[dict-item]

    def token(**changes: Any) -> str:
        made: str = desk.token(desk.claims(**(personal | changes)))
        return made

    plain = desk.verifier()
    return {
        "malformed_token": (plain, token() + "="),
        "token_too_large": (plain, token(groups=["canary-group"] * 1500)),
        "algorithm_not_allowed": (plain, desk.token(desk.claims(**personal), algorithm="ES256")),
        "token_type_not_accepted": (plain, token(nonce="canary-nonce")),
        "critical_header_unsupported": (plain, desk.token(desk.claims(**personal), crit=["canary-crit"])),
        "issuer_not_trusted": (plain, token(iss="https://evil.example/")),
        "audience_not_accepted": (plain, token(aud="api://other")),
        "unknown_key": (plain, desk.token(desk.claims(**personal), kid="no-such-kid")),
        "signature_invalid": (plain, desk.token(desk.claims(**personal), signer="rsa-2", kid="kid-rsa")),
        "token_expired": (plain, token(exp=desk.now - 1)),
        "token_not_yet_valid": (plain, token(nbf=desk.now + 1)),
        "claim_missing": (desk.verifier(desk.rule(required_claims=["org"])), token()),
        "claim_malformed": (plain, token(sub=["canary-sub"])),
        "claim_malformed in a value": (desk.verifier(desk.rule(required_values={"name": "x"})), token()),
        "claim_malformed for a person": (desk.verifier(desk.rule(subject_claim="name")), token(name={"canary-a": "canary-b"})),
        "key_not_for_issuer": (desk.verifier(desk.rule(jwks=desk.jwks(issuer="https://other.example/"))), token()),
        "caller_kind_not_allowed": (desk.verifier(desk.rule(kinds=["app"], kind_of=entra.caller_kind)), token()),
        "client_not_allowed": (desk.verifier(desk.rule(clients=["other"])), token()),
        "guest_not_allowed": (desk.verifier(desk.rule(guests=False)), token(idp="canary-idp")),
        "insufficient_scope": (desk.verifier(desk.rule(required_scopes=["b"])), token()),
        "insufficient_role": (desk.verifier(desk.rule(required_roles=["r"])), token()),
        "keys_unavailable": (desk.verifier(desk.rule(jwks=..., jwks_uri="https://idp.example/keys")), token()),
    }


def test_no_log_line_and_no_exception_holds_a_token_a_person_or_a_key(desk: Any) -> None:
    lines: list[str] = []
    logger = structlog.wrap_logger(
        _Lines(lines), processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer(default=repr)]
    )
    diagnostics = Diagnostics(logger=logger, first=None)
    secrets = [desk.signers["rsa"].jwk["n"], "canary"]
    cases = _bad_tokens(desk)
    for name, (verifier, token) in cases.items():
        error = desk.rejection(lambda verifier=verifier, token=token: verifier.verify(token))
        assert error.code == name.split(" ")[0]
        diagnostics.rejected(error, method="GET", path="/jobs")
        texts = [str(error), repr(error), repr(error.args), error.hint, error.public_description, lines[-1]]
        texts.append("".join(traceback.format_exception(error)))
        for secret in [*secrets, token, *token.split(".")]:
            if len(secret) > 3:
                assert not [text for text in texts if secret in text], name
    assert len(lines) == len(cases)


class _Lines:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def msg(self, message: str) -> None:
        self._lines.append(message)

    info = warning = error = msg


def test_the_fields_of_an_exception_hold_no_token_and_no_more_of_a_person_than_was_judged(desk: Any) -> None:
    for name, (verifier, token) in _bad_tokens(desk).items():
        error = desk.rejection(lambda verifier=verifier, token=token: verifier.verify(token))
        rendered = json.dumps({key: value for key, value in vars(error).items() if key != "actual"}, default=repr)
        assert "canary" not in rendered, name
        assert token not in json.dumps(vars(error), default=repr), name
        for part in token.split("."):
            assert len(part) < 4 or part not in json.dumps(vars(error), default=repr), name
        assert error.__cause__ is None, name


@pytest.mark.parametrize("claim", PERSONAL)
def test_the_value_of_a_personal_claim_is_not_shown(claim: str) -> None:
    for value in ("canary", ["canary"], {"canary": 1}, 1234567, True):
        fields = event_fields(ClaimMalformed("x", claim=claim, actual=value))
        assert "seen" not in fields, value


@pytest.mark.parametrize(
    "claim", ["iss", "aud", "tid", "ver", "exp", "nbf", "iat", "typ", "alg", "scp", "roles", "kind", "client"]
)
def test_the_value_of_a_claim_that_names_no_person_is_shown(claim: str) -> None:
    assert event_fields(ClaimMalformed("x", claim=claim, actual="seen-value"))["seen"] == "seen-value"


def test_the_size_of_a_token_is_shown() -> None:
    assert event_fields(TokenTooLarge("x", expected=10, actual=20))["seen"] == 20


def test_an_event_is_bounded_whatever_a_stranger_sends() -> None:
    long = "\u20ac" * 4000
    error = AudienceNotAccepted(
        claim="aud", expected=["api://jobs"] * 1000, actual=[long] * 1000, issuer=long, kid=long, algorithm=long
    )
    assert len(json.dumps(event_fields(error))) < (MAX_ITEMS + 4) * (2 * MAX_TEXT + 20) + 1000


# -- floods --------------------------------------------------------------------------------------------------------------


def test_a_flood_is_logged_first_and_then_counted_by_code(events: Events) -> None:
    time = Time()
    diagnostics = Diagnostics(first=3, interval=60, logger=events, monotonic=time)
    for _ in range(10):
        diagnostics.rejected(TokenExpired(), method="GET", path="/")
    for _ in range(4):
        diagnostics.rejected(SignatureInvalid(), method="GET", path="/")
    diagnostics.rejected(MissingToken(), method="GET", path="/")
    assert len(events.named("token_rejected")) == 3 + 3 + 1
    assert events.named("token_rejections_summed") == []
    time.now += 60
    diagnostics.rejected(MissingToken(), method="GET", path="/")
    (summary,) = events.named("token_rejections_summed")
    assert summary["not_logged"] == {"token_expired": 7, "signature_invalid": 1}
    assert summary["seconds"] == 60.0
    assert summary["hint"]
    assert len(events.named("token_rejected")) == 8


def test_a_flood_of_refusals_is_summed_up_with_the_events_to_look_for(events: Events) -> None:
    diagnostics = Diagnostics(first=1, logger=events)
    for _ in range(3):
        diagnostics.refused("path_not_allowed", {}, method="GET", path="/")
    diagnostics.flush()
    assert len(events.named("request_refused")) == 1
    (summary,) = events.named("token_rejections_summed")
    assert summary["not_logged"] == {"path_not_allowed": 2}
    assert "token_rejected" in summary["hint"]
    assert "request_refused" in summary["hint"]


def test_after_the_interval_the_first_ones_are_logged_again(events: Events) -> None:
    time = Time()
    diagnostics = Diagnostics(first=1, interval=60, logger=events, monotonic=time)
    for _ in range(3):
        diagnostics.rejected(TokenExpired(), method="GET", path="/")
        diagnostics.rejected(TokenExpired(), method="GET", path="/")
        time.now += 60
    assert len(events.named("token_rejected")) == 3
    diagnostics.flush()
    assert [summary["not_logged"] for summary in events.named("token_rejections_summed")] == [{"token_expired": 1}] * 3


def test_a_quiet_interval_is_not_summed_up(events: Events) -> None:
    diagnostics = Diagnostics(first=5, logger=events)
    diagnostics.rejected(TokenExpired(), method="GET", path="/")
    diagnostics.flush()
    diagnostics.flush()
    assert events.named("token_rejections_summed") == []


def test_a_flood_that_stops_is_summed_up_by_the_timer() -> None:
    summed = threading.Event()

    class Waiting(Events):
        def warning(self, event: str, **fields: Any) -> None:
            super().warning(event, **fields)
            if event == "token_rejections_summed":
                summed.set()

    events = Waiting()
    diagnostics = Diagnostics(first=1, interval=0.05, logger=events, monotonic=lambda: 0.0)
    for _ in range(5):
        diagnostics.rejected(TokenExpired(), method="GET", path="/")
    assert summed.wait(10)
    assert events.named("token_rejections_summed")[0]["not_logged"] == {"token_expired": 4}


def test_first_none_logs_every_rejection(events: Events) -> None:
    diagnostics = Diagnostics(first=None, logger=events)
    for _ in range(50):
        diagnostics.rejected(TokenExpired(), method="GET", path="/")
    diagnostics.flush()
    assert len(events.seen) == 50


def test_first_nought_only_counts(events: Events) -> None:
    diagnostics = Diagnostics(first=0, logger=events)
    for _ in range(5):
        diagnostics.rejected(TokenExpired(), method="GET", path="/")
    diagnostics.flush()
    assert [(name, fields["not_logged"]) for _, name, fields in events.seen] == [
        ("token_rejections_summed", {"token_expired": 5})
    ]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"first": -1}, "first"),
        ({"first": True}, "first"),
        ({"first": 1.5}, "first"),
        ({"interval": -1}, "interval"),
        ({"interval": "60"}, "interval"),
        ({"interval": float("nan")}, "interval"),
        ({"interval": 1e9}, "interval"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Diagnostics(**options)
    assert caught.value.field == field


def test_a_logger_that_raises_disturbs_no_request() -> None:
    class Broken(Events):
        def warning(self, event: str, **fields: Any) -> None:
            raise OSError("disk full")

    diagnostics = Diagnostics(logger=Broken(), first=1)
    for _ in range(3):
        diagnostics.rejected(TokenExpired(), method="GET", path="/")
    diagnostics.flush()


def test_threads_lose_no_count(events: Events) -> None:
    diagnostics = Diagnostics(first=10, logger=events, interval=3600)

    def many() -> None:
        for _ in range(500):
            diagnostics.rejected(TokenExpired(), method="GET", path="/")

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    diagnostics.flush()
    assert len(events.named("token_rejected")) == 10
    assert events.named("token_rejections_summed")[0]["not_logged"] == {"token_expired": 3990}


def test_a_child_process_counts_anew_with_a_lock_of_its_own(events: Events) -> None:
    diagnostics = Diagnostics(first=1, logger=events, interval=3600)
    diagnostics.rejected(TokenExpired(), method="GET", path="/")
    with vars(diagnostics)["_lock"]:
        diagnostics.forked()
        diagnostics.rejected(TokenExpired(), method="GET", path="/")
    assert len(events.named("token_rejected")) == 2


def test_without_a_logger_structlog_is_used() -> None:
    with structlog.testing.capture_logs() as captured:
        Diagnostics().rejected(TokenExpired("late"), method="GET", path="/a?")
    assert [(entry["event"], entry["code"], entry["reason"]) for entry in captured] == [
        ("token_rejected", "token_expired", "late")
    ]


# -- key events ----------------------------------------------------------------------------------------------------------

REFRESHED = KeysRefreshed("https://idp.example/keys", "cold", 0.12345, 2, 2, 0, {})


def failed(kind: str, *, usable: bool, age: float | None = None) -> KeysRefreshFailed:
    return KeysRefreshFailed("https://idp.example/keys", "refresh", kind, "why\n", 3, 1.25, age, usable)


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        pytest.param(REFRESHED, [("info", "keys_refreshed")], id="refreshed"),
        pytest.param(
            KeysRefreshed("s", "tick", 0.1, 1, 0, 0, {"private_key_published": 1}),
            [("info", "keys_refreshed"), ("error", "private_key_published")],
            id="a private key published",
        ),
        pytest.param(failed("timeout", usable=True, age=12.34), [("warning", "keys_refresh_failed")], id="failed, keys in hand"),
        pytest.param(failed("dns", usable=False), [("error", "keys_refresh_failed")], id="failed, no keys"),
    ],
)
def test_every_fetch_of_keys_is_an_event(events: Events, event: KeyEvent, seen: list[tuple[str, str]]) -> None:
    log_key_event(event, events)
    assert [(level, name) for level, name, _ in events.seen] == seen


@pytest.mark.parametrize(
    "kind",
    [
        "timeout",
        "dns",
        "tls",
        "connect",
        "read",
        "status",
        "redirect",
        "too_large",
        "encoding",
        "not_json",
        "metadata",
        "no_keys",
        "other",
    ],
)
def test_every_failure_of_a_fetch_has_a_hint(events: Events, kind: str) -> None:
    log_key_event(failed(kind, usable=True, age=12.34), events)
    fields = events.seen[0][2]
    assert fields["hint"].endswith(".")
    assert (fields["kind"], fields["detail"], fields["key_age"], fields["retry_in"]) == (kind, "why\\n", 12.3, 1.2)


def test_key_events_go_to_structlog_by_default() -> None:
    with structlog.testing.capture_logs() as captured:
        log_key_event(REFRESHED)
    assert [(entry["event"], entry["keys"], entry["seconds"]) for entry in captured] == [("keys_refreshed", 2, 0.123)]


def test_a_structlog_logger_is_a_logger_as_we_need_it() -> None:
    capturing = CapturingLogger()
    Diagnostics(logger=structlog.wrap_logger(capturing, processors=[])).rejected(TokenExpired(), method="GET", path="/")
    assert [call.method_name for call in capturing.calls] == ["warning"]
