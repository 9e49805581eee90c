"""What is sealed opens only with its key, as what it was sealed as, and unchanged."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from tokenward.databricks.shared.sealing import SealingKeys, sealing_keys
from tokenward.errors import PolicyError

ONE, TWO, THREE = (bytes((start + step * 7) % 256 for step in range(32)) for start in (1, 2, 3))
PLAIN = b"what nobody else may read"


def in_base64(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_what_was_sealed_opens_again() -> None:
    keys = SealingKeys(ONE)
    sealed = keys.seal(PLAIN, b"about")
    assert keys.open(sealed, b"about") == PLAIN
    assert PLAIN not in sealed


def test_the_same_text_is_never_sealed_the_same_way_twice() -> None:
    keys = SealingKeys(ONE)
    assert len({keys.seal(PLAIN, b"about") for _ in range(100)}) == 100


def test_an_entry_opens_only_as_what_it_was_sealed_for() -> None:
    keys = SealingKeys(ONE)
    assert keys.open(keys.seal(PLAIN, b"about ada"), b"about grace") is None


def test_another_key_opens_nothing() -> None:
    assert SealingKeys(TWO).open(SealingKeys(ONE).seal(PLAIN, b"about"), b"about") is None


def test_no_changed_byte_and_no_cut_is_overlooked() -> None:
    keys = SealingKeys(ONE)
    sealed = keys.seal(PLAIN, b"about")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        assert keys.open(bytes(changed), b"about") is None
        assert keys.open(sealed[:place], b"about") is None
    assert keys.open(sealed + b"\x00", b"about") is None


def test_a_change_of_keys_loses_no_entry_where_the_new_one_is_added_first() -> None:
    old, both, turned, new = SealingKeys(ONE), SealingKeys(ONE, TWO), SealingKeys(TWO, ONE), SealingKeys(TWO)
    for before, after in ((old, both), (both, old), (both, turned), (turned, both), (turned, new)):
        assert after.open(before.seal(PLAIN, b"about"), b"about") == PLAIN
    assert new.open(old.seal(PLAIN, b"about"), b"about") is None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param(in_base64(ONE), 1, id="one"),
        pytest.param(f"  {in_base64(ONE)}\n", 1, id="white space around"),
        pytest.param(base64.urlsafe_b64encode(ONE).decode().rstrip("="), 1, id="the alphabet of urls without padding"),
        pytest.param(f"{in_base64(ONE)}\n{in_base64(TWO)}\n", 2, id="a line each"),
        pytest.param(f"{in_base64(ONE)}, {in_base64(TWO)},{in_base64(THREE)}", 3, id="commas"),
    ],
)
def test_keys_are_read_from_text(text: str, count: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHARED_KEY", text)
    file = tmp_path / "key"
    file.write_text(text)
    sealed = SealingKeys(ONE).seal(PLAIN, b"")
    for keys in (SealingKeys.from_text(text), SealingKeys.from_env("SHARED_KEY"), SealingKeys.from_file(file)):
        assert keys.open(sealed, b"") == PLAIN
        assert repr(keys) == f"<SealingKeys {count}>"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(in_base64(ONE[:16]), id="16 bytes"),
        pytest.param(in_base64(ONE + TWO), id="64 bytes"),
        pytest.param(in_base64(bytes(32)), id="zeros"),
        pytest.param(in_base64(b"0123456789" * 3 + b"01"), id="a few digits again and again"),
        pytest.param("correct horse battery staple secret", id="words"),
        pytest.param(in_base64(ONE)[:-3] + "*A=", id="another alphabet"),
        pytest.param(" ".join([in_base64(ONE)] * 2), id="the same key twice"),
        pytest.param(" ".join(in_base64(os.urandom(32)) for _ in range(5)), id="five keys"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_key_is_refused_at_once_and_not_quoted(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    monkeypatch.setenv("SHARED_KEY", text)
    for read in (SealingKeys.from_text, lambda _: SealingKeys.from_file(file), lambda _: SealingKeys.from_env("SHARED_KEY")):
        with pytest.raises(PolicyError) as refusal:
            read(text)
        assert refusal.value.field == "key"
        assert not text or text not in str(refusal.value)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("A" * 5000)
    (tmp_path / "bytes").write_bytes(b"\xff" * 32)
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "large", "bytes", "pipe", "."):
        with pytest.raises(PolicyError) as refusal:
            SealingKeys.from_file(tmp_path / name)
        assert refusal.value.field == "key"
    with pytest.raises(PolicyError):
        SealingKeys.from_file("")


@pytest.mark.parametrize("value", ["text", 32, None, [ONE], ONE[:31], bytearray(ONE)], ids=repr)
def test_only_keys_and_the_bytes_of_one_are_taken(value: object) -> None:
    with pytest.raises(PolicyError):
        sealing_keys(value)
    assert isinstance(sealing_keys(ONE), SealingKeys)


def test_no_repr_and_no_attribute_shows_a_key() -> None:
    keys = SealingKeys(ONE, TWO)
    shown = repr(keys) + repr([getattr(keys, name) for name in keys.__slots__])
    assert repr(ONE) not in shown
    assert ONE.hex() not in shown
    assert in_base64(ONE) not in shown
