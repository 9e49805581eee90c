"""The public surface: what users type. A change here is a change of the contract."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import textwrap
import typing
from collections.abc import Callable, Mapping
from importlib import resources
from types import ModuleType
from typing import Any

import pytest

import tokenward
from tokenward import (
    AsyncVerifier,
    AuthenticationError,
    Identity,
    Issuer,
    KeysUnavailable,
    Policy,
    PolicyError,
    TokenRejected,
    Verifier,
    entra,
)
from tokenward.keys.counts import KeyCounts
from tokenward.middleware.readiness import asgi as readiness_asgi
from tokenward.middleware.readiness import django as readiness_django
from tokenward.middleware.readiness import wsgi as readiness_wsgi
from tokenward.readiness import readiness

PROMISED = [
    "AsyncVerifier",
    "AuthenticationError",
    "Identity",
    "Issuer",
    "KeysUnavailable",
    "Policy",
    "PolicyError",
    "TokenRejected",
    "Verifier",
    "entra",
]


def shape(function: Callable[..., Any]) -> str:
    """Names, kinds and defaults of the parameters, without types; a default that is an object is `...`."""
    words: list[str] = []
    star = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            words.append("*")
            star = True
        if parameter.kind is parameter.VAR_KEYWORD:
            words.append(f"**{parameter.name}")
            continue
        default = parameter.default
        plain = isinstance(default, (str, int, float, tuple, type(None)))
        words.append(
            parameter.name
            if default is parameter.empty
            else f"{parameter.name}={default!r}"
            if plain
            else f"{parameter.name}=..."
        )
    return ", ".join(words)


def test_the_surface_is_what_was_promised_and_sorted() -> None:
    assert tokenward.__all__ == PROMISED
    assert sorted(tokenward.__all__) == tokenward.__all__
    for name in tokenward.__all__:
        assert getattr(tokenward, name)


if typing.TYPE_CHECKING:  # what a type checker must not know: it would say so if it did
    from tokenward import Verifyer  # type: ignore[attr-defined]  # noqa: F401
    from tokenward.databricks import Gatewai  # type: ignore[attr-defined]  # noqa: F401
    from tokenward.troubleshoot import explane  # type: ignore[attr-defined]  # noqa: F401


def test_a_name_whose_module_is_not_there_yet_is_no_module() -> None:
    """As where whoever imports it is imported by that module."""
    script = """
        import sys, types
        import tokenward
        sys.modules["tokenward.verifier"] = types.ModuleType("tokenward.verifier")
        try:
            tokenward.Verifier
        except AttributeError:
            sys.exit(42)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=60)
    assert ended.returncode == 42


def test_nothing_else_is_public_but_modules_and_the_version() -> None:
    others = {name for name in vars(tokenward) if not name.startswith("_")} - set(PROMISED)
    assert [name for name in others if not isinstance(getattr(tokenward, name), ModuleType)] == []
    assert tokenward.__version__.count(".") == 2


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(
            Issuer,
            "issuer, *, audiences, algorithms=('RS256',), jwks=None, jwks_uri=None, discovery_url=None, tenants=None, "
            "leeway=0.0, required_claims=('exp',), required_values=..., subject_claim='sub', "
            "token_types=('JWT', 'at+jwt', None), "
            "id_token_marks=('nonce', 'at_hash', 'c_hash'), kind_of=..., kinds=None, clients=None, "
            "guests=True, required_scopes=(), required_roles=(), cloud_instance_name=None",
            id="Issuer",
        ),
        pytest.param(Policy, "issuers, *, max_token_bytes=16384, checks=()", id="Policy"),
        pytest.param(
            Verifier, "policy, *, clock=..., monotonic=..., fetch=None, rhythm=..., remember=4096, observer=...", id="Verifier"
        ),
        pytest.param(
            AsyncVerifier,
            "policy, *, clock=..., monotonic=..., fetch=None, rhythm=..., remember=4096, observer=...",
            id="AsyncVerifier",
        ),
        pytest.param(Verifier.verify, "self, token", id="Verifier.verify"),
        pytest.param(Verifier.authenticate, "self, values", id="Verifier.authenticate"),
        pytest.param(Verifier.warm_up, "self, timeout=10.0, required=False", id="Verifier.warm_up"),
        pytest.param(Verifier.export, "self", id="Verifier.export"),
        pytest.param(Verifier.seed, "self, document", id="Verifier.seed"),
        pytest.param(Verifier.fetch_due, "self", id="Verifier.fetch_due"),
        pytest.param(Verifier.close, "self", id="Verifier.close"),
        pytest.param(Verifier.status, "self", id="Verifier.status"),
        pytest.param(AsyncVerifier.verify, "self, token", id="AsyncVerifier.verify"),
        pytest.param(AsyncVerifier.authenticate, "self, values", id="AsyncVerifier.authenticate"),
        pytest.param(Verifier.refresh, "self, timeout=15.0", id="Verifier.refresh"),
        pytest.param(AsyncVerifier.refresh, "self, timeout=15.0", id="AsyncVerifier.refresh"),
        pytest.param(AsyncVerifier.warm_up, "self, timeout=10.0, required=False", id="AsyncVerifier.warm_up"),
        pytest.param(AsyncVerifier.export, "self", id="AsyncVerifier.export"),
        pytest.param(AsyncVerifier.seed, "self, document", id="AsyncVerifier.seed"),
        pytest.param(AsyncVerifier.status, "self", id="AsyncVerifier.status"),
        pytest.param(AsyncVerifier.fetch_due, "self", id="AsyncVerifier.fetch_due"),
        pytest.param(readiness_asgi.Readiness, "verifier, *, of='all', details=False", id="Readiness, ASGI"),
        pytest.param(readiness_wsgi.Readiness, "verifier, *, of='all', details=False", id="Readiness, WSGI"),
        pytest.param(readiness_django.readiness, "verifier, *, of='all', details=False", id="readiness, Django"),
        pytest.param(readiness, "sources, *, of='all', details=False", id="readiness"),
        pytest.param(KeyCounts, "lookups, fetches, leases_expired, keys_skipped, sets_changed", id="KeyCounts"),
        pytest.param(AsyncVerifier.running, "self, *, warm_up=10.0, required=False", id="AsyncVerifier.running"),
        pytest.param(
            entra.databricks,
            "tenant, *, cloud=..., versions=('1.0', '2.0'), kinds=None, clients=None, leeway=0.0, "
            "max_token_bytes=16384, checks=()",
            id="entra.databricks",
        ),
        pytest.param(
            entra.api,
            "client_id, tenants, *, audiences=(), cloud=..., versions=('1.0', '2.0'), kinds=('user', 'app'), clients=None, "
            "guests=True, required_scopes=(), required_roles=(), leeway=0.0, max_token_bytes=16384, checks=()",
            id="entra.api",
        ),
        pytest.param(Identity, "subject, issuer, tenant, client_id, kind, scopes, roles, expires_at, claims", id="Identity"),
        pytest.param(PolicyError, "field, problem, fix", id="PolicyError"),
        pytest.param(
            AuthenticationError,
            "reason='', **details",
            id="AuthenticationError",
        ),
    ],
)
def test_signatures_are_as_promised(function: Callable[..., Any], expected: str) -> None:
    assert shape(function) == expected


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("acquisition", ["Cause", "Diagnosis", "Entry", "diagnose", "entries"]),
        (
            "troubleshoot",
            [
                *("AzFile", "Cause", "Check", "Diagnosis", "Entry", "Finding", "KeyReport", "Means", "Parts", "Question"),
                *("Report", "RootCause", "Term", "What", "diagnose", "entries", "examine_registration", "examine_workspace"),
                *("explain", "keys_of", "meaning_of", "root_causes"),
            ],
        ),
        ("web", ["Explainer", "inspector"]),
    ],
)
def test_what_explains_is_public_by_name(package: str, expected: list[str]) -> None:
    module = importlib.import_module(f"tokenward.{package}")
    assert sorted(module.__all__) == expected
    assert all(getattr(module, name) for name in expected)


def test_the_twins_differ_only_in_waiting() -> None:
    for name in ("verify", "authenticate", "warm_up", "refresh"):
        sync, twin = getattr(Verifier, name), getattr(AsyncVerifier, name)
        assert inspect.signature(sync) == inspect.signature(twin)
        assert inspect.iscoroutinefunction(twin)
        assert not inspect.iscoroutinefunction(sync)


def test_every_rejection_is_one_of_two_kinds_that_users_can_catch() -> None:
    assert issubclass(TokenRejected, AuthenticationError)
    assert issubclass(KeysUnavailable, AuthenticationError)
    assert not issubclass(KeysUnavailable, TokenRejected)


def test_the_package_says_that_it_is_typed() -> None:
    assert resources.files(tokenward).joinpath("py.typed").is_file()


def _holds_any(hint: Any) -> bool:
    parts = hint if isinstance(hint, list) else typing.get_args(hint)
    return hint is Any or any(_holds_any(part) for part in parts)


def test_no_any_decays_into_the_types_that_users_meet() -> None:
    """Decoded JSON is Any, and nothing else: claims and JWKS."""
    functions = [
        *(Verifier.__init__, Verifier.verify, Verifier.authenticate, Verifier.status, Policy.__init__, Policy.route),
        *(AsyncVerifier.__init__, AsyncVerifier.verify, AsyncVerifier.authenticate),
        *(entra.api, entra.databricks, entra.caller_kind),
    ]
    loose = {
        f"{function.__qualname__}.{name}"
        for function in functions
        for name, hint in typing.get_type_hints(function).items()
        if _holds_any(hint)
    }
    assert loose == {"caller_kind.claims"}
    assert typing.get_type_hints(Verifier.verify)["return"] is Identity
    assert {name for name, hint in typing.get_type_hints(Identity).items() if _holds_any(hint)} == {"claims"}
    assert {name for name, hint in typing.get_type_hints(Issuer).items() if _holds_any(hint)} == {"jwks", "kind_of"}
    assert typing.get_type_hints(Issuer)["jwks"] == Mapping[str, Any] | None


def test_every_public_name_explains_itself() -> None:
    for name in PROMISED:
        documented = getattr(tokenward, name)
        assert (documented.__doc__ or "").strip().splitlines()[0].endswith((".", ":")), name


def test_an_identity_is_made_afresh_and_carries_what_was_promised() -> None:
    identity = Identity("s", "i", None, None, "user", frozenset(), frozenset(), 1.0, {"sub": "s"})
    copied = identity.with_claims({"sub": "s"})
    assert copied == identity
    assert copied.claims is not identity.claims
    assert not hasattr(identity, "__dict__")
