"""The fuzzed properties: a product that breaks one is caught, and the search starts from inputs that are worth it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fuzz import hunt
from fuzz.command import main
from fuzz.drafts import draft
from fuzz.jwks import GOOD
from fuzz.keys import b64, of_number, rsa_key
from fuzz.targets import Broken
from fuzz.targets.all import NAMES, seeds_of, target_of
from fuzz.targets.discovery import ISSUER
from fuzz.tokens import good
from tokenward import walk
from tokenward.errors import MalformedToken
from tokenward.keys import jwk, loading, metadata
from tokenward.keys.metadata import Metadata
from tokenward.token import compact

ROOT = Path(__file__).parents[2]
INPUTS = 300
"""Of each target's own changes: some seconds. A search for defects is `scripts/fuzz`; this is a look whether it works."""

Patch = Callable[[pytest.MonkeyPatch], None]


def setting(owner: Any, name: str, value: Any) -> Patch:
    return lambda patch: patch.setattr(owner, name, value)


def raising(exception: type[Exception]) -> Callable[..., Any]:
    def raise_it(*arguments: Any, **more: Any) -> Any:
        raise exception("a text of its own")

    return raise_it


def bearer(header: dict[str, object], claims: dict[str, object]) -> bytes:
    return f"Bearer {b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}.{b64(b's' * 64)}".encode()


def published(**members: object) -> bytes:
    return json.dumps({"keys": [GOOD[1], {**GOOD[0], **members}]}).encode()


def discovered(jwks_uri: str, issuer: str = ISSUER) -> bytes:
    return json.dumps({"issuer": issuer, "jwks_uri": jwks_uri}).encode()


def genuine() -> bytes:
    rng = Random(1)
    token = good(draft(rng), rng)
    assert isinstance(token, bytes)
    return b"Bearer " + token


HEADER: dict[str, object] = {"alg": "ES256", "kid": "ec", "typ": "JWT"}
SMALL = of_number(rsa_key("rsa").private_numbers().p)
"""Of 1024 bits, and without a small factor."""


@pytest.mark.parametrize(
    ("name", "broken", "data"),
    [
        pytest.param("authenticate", setting(walk, "digest_of", raising(ValueError)), genuine(), id="another exception"),
        pytest.param(
            "authenticate",
            setting(compact, "_wrong_shape", lambda token: MalformedToken(f"not three parts: {token.decode()}")),
            b"Bearer " + b"abcdefgh" * 8 + b".b.c.d",
            id="an error that quotes the token",
        ),
        pytest.param(
            "authenticate",
            setting(__import__("tokenward.diagnostics").diagnostics, "shown", lambda value: value),
            bearer(HEADER, {"iss": b64(json.dumps(HEADER).encode())}),
            id="a log that shows a part of the token",
        ),
        pytest.param(
            "authenticate",
            setting(walk, "check_signature", lambda *said: said[1][0]),
            bearer(HEADER, {"iss": ISSUER, "aud": "api://jobs", "exp": 2e9}),
            id="a forged token that is accepted",
        ),
        pytest.param("jwks", setting(jwk, "PRIVATE_MEMBERS", frozenset()), published(d="AAAA"), id="a published private key"),
        pytest.param("jwks", setting(jwk, "RSA_BITS", range(10_000)), published(n=SMALL), id="a small RSA key"),
        pytest.param("jwks", setting(jwk, "_require_use", lambda jwk: None), published(use="enc"), id="a key for encryption"),
        pytest.param("jwks", setting(loading, "_parsed", json.loads), b"[" * 11_000, id="another exception for a set"),
        pytest.param(
            "jwks",
            setting(loading, "_keyset", lambda response: raising(ValueError)()),
            published(),
            id="an exception that is no failed fetch",
        ),
        pytest.param(
            "jwks",
            setting(loading, "_parsed", lambda body: (_ for _ in ()).throw(ValueError(body.decode()))),
            published(),
            id="a failure that quotes the body",
        ),
        *(
            pytest.param(
                "discovery", setting(metadata, "require_safe_url", lambda url, loopback: None), discovered(url), id=words
            )
            for url, words in (
                ("http://keys.example/", "keys over http"),
                ("https://169.254.169.254/keys", "keys at the cloud's own address"),
                ("https://127.1/keys", "keys on this machine, in another spelling"),
                ("https://user:secret@keys.example/", "keys with credentials"),
            )
        ),
        pytest.param(
            "discovery",
            setting(loading, "read_metadata", lambda document, **more: Metadata(ISSUER, document["jwks_uri"], None)),
            discovered("https://evil.example/keys", "https://evil.example/"),
            id="metadata of somebody else",
        ),
    ],
)
def test_a_product_that_breaks_a_property_is_caught(
    monkeypatch: pytest.MonkeyPatch, name: str, broken: Patch, data: bytes
) -> None:
    target = target_of(name)
    target.check(data)  # holds, while nothing is broken
    broken(monkeypatch)
    with pytest.raises((Broken, ValueError, RecursionError)):
        target.check(data)


@pytest.mark.parametrize("name", NAMES)
def test_the_properties_hold_for_inputs_near_the_good_ones(name: str) -> None:
    target, rng = target_of(name), Random(7517)
    pool = list(seeds_of(name).values())
    for _ in range(INPUTS):
        data = target.change(rng.choice(pool), rng)[: target.most]
        target.check(data)
        pool[rng.randrange(len(pool))] = data or pool[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_search_starts_from_the_inputs_that_are_kept(name: str) -> None:
    assert {path.name for path in (hunt.SEEDS / name).iterdir()} == set(seeds_of(name))
    for path in (hunt.SEEDS / name).iterdir():
        target_of(name).check(path.read_bytes())


def test_without_atheris_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(hunt, "is_possible", lambda: False)
    assert main(["all"]) == 2
    assert "pip install atheris" in capsys.readouterr().err


def test_a_finding_is_judged_again_by_the_command_that_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "finding"
    kept.write_bytes(published())
    assert main(["replay", "jwks", str(kept)]) == 0
    kept.write_bytes(genuine().removeprefix(b"Bearer "))
    assert main(["replay", "token", str(kept)]) == 0
    assert capsys.readouterr().out.count("accepted") == 3


def test_the_search_tells_its_options_without_installing_anything() -> None:
    shown = subprocess.run([ROOT / "scripts" / "fuzz", "--help"], capture_output=True, text=True, check=True).stdout
    source = (ROOT / "fuzz" / "command.py").read_text("utf-8")
    for option in {*re.findall(r'add_argument\("(--[a-z-]+)"', source), *NAMES, "differential", "replay", "seeds"}:
        assert option in shown
