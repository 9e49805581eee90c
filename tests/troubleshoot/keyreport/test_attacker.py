"""Whatever an issuer puts into x5c is a caution: no exception, and no warning on the terminal."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenward.testing import SigningKey
from tokenward.troubleshoot.keyreport.certificate import certificate_of
from tokenward.troubleshoot.keyreport.report import keys_in

VERSION_3 = bytes.fromhex("a003020102")
"""[0] EXPLICIT INTEGER 2, which stands for version 3 (RFC 5280 section 4.1.2.1); its serial number follows."""
MAKING = HealthCheck.function_scoped_fixture


@pytest.fixture(scope="module")
def good() -> Callable[[Callable[..., str]], bytes]:
    """One certificate for all examples: making a key takes a tenth of a second."""
    made: list[bytes] = []

    def der(certificate: Callable[..., str]) -> bytes:
        if not made:
            made.append(base64.b64decode(certificate(SigningKey.generate("RS256"), -1, 1)))
        return made[0]

    return der


def _x5c(der: bytes) -> list[str]:
    return [base64.b64encode(der).decode()]


def _with_version(der: bytes, version: int) -> bytes:
    assert der.count(VERSION_3) == 1
    return der.replace(VERSION_3, VERSION_3[:-1] + bytes([version]))


def _with_serial(der: bytes, first: int) -> bytes:
    """The first byte of the serial number replaced; from 0x80 on it is negative."""
    at = der.index(VERSION_3) + len(VERSION_3) + 2
    return der[:at] + bytes([first]) + der[at + 1 :]


@pytest.mark.parametrize("version", [1, 3, 5, 127, 128, 255])
def test_a_certificate_of_no_known_version_is_a_caution(good: Any, certificate: Any, version: int) -> None:
    jwk = {"kty": "RSA", "kid": "k", "x5c": _x5c(_with_version(good(certificate), version))}
    report = keys_in(json.dumps({"keys": [jwk]}).encode(), "keys.json")
    (seen,) = [caution.seen for caution in report.cautions if caution.name == "certificate_unreadable"]
    assert seen == "x5c holds no certificate"
    assert len(report.keys) == 1


def test_an_odd_serial_number_is_no_warning(good: Any, certificate: Any) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = certificate_of({"x5c": _x5c(_with_serial(good(certificate), 0x80))})
    assert found is not None
    assert [str(warning.message) for warning in told] == []


@settings(max_examples=200, suppress_health_check=[MAKING], deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4), end=st.integers(1, 2000))
def test_no_change_of_a_certificate_raises_anything_but_that_it_is_none(
    good: Any, certificate: Any, changes: list[tuple[int, int]], end: int
) -> None:
    der = bytearray(good(certificate))
    for at, value in changes:
        der[at % len(der)] = value
    with suppress(ValueError):
        certificate_of({"x5c": _x5c(bytes(der[:end]))})
