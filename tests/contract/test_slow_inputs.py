"""The slowest tokens of 16 KiB that we could think of, each measured: forged, and signed by a trusted key.

A forged token is refused somewhere on the way; a signed one goes as far as it can, which for many is all the way. The table is
printed (`pytest -s`); add a row for every idea of a slow token.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tokenward import AuthenticationError, Issuer, Policy, Verifier, entra
from tokenward.challenge import answer
from tokenward.diagnostics import event_fields

LIMIT = 16 * 1024
PROMISE = 0.001
"""Seconds in which 16 KiB of anything get their verdict. The table shows who keeps it; the time is this thread's own, so that
what else the machine does is not counted."""
GENEROUS = 20 * PROMISE
"""What the test itself demands: timings judge a machine as much as a program, so only a blunder may fail."""
ROUNDS = 20
HEADER = b'{"alg":"EdDSA","kid":"ed"}'
HEADER_ROOM = 8 * 1024 * 3 // 4
ROOM = (LIMIT - 200) * 3 // 4
"""Bytes of claims that fit beside HEADER and a signature."""
GUID = "aaaaaaaa-2222-3333-4444-555555555555"
TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"


def fill(item: bytes, separator: bytes = b",", room: int = ROOM - 320) -> bytes:
    """As many items as fit."""
    count = (room + len(separator)) // (len(item) + len(separator))
    return separator.join([item] * count)


def numbered(pattern: bytes, room: int = ROOM - 320, separator: bytes = b",") -> bytes:
    """As many different items as fit; `pattern` takes one number."""
    made: list[bytes] = []
    while room > 0:
        made.append(pattern % len(made))
        room -= len(made[-1]) + len(separator)
    return separator.join(made[:-1])


FEW = 960
"""As many as pass where each costs two of the parts that a token may have; what follows them is one long string."""


def few(item: bytes, count: int = FEW) -> bytes:
    """So many items, and a string that fills the rest."""
    items = b",".join([item] * count)
    return items + b',"' + b"x" * (ROOM - 330 - len(items)) + b'"'


CLAIMS: dict[str, Callable[[], bytes]] = {
    "flat lists": lambda: b'"x":[%s]' % fill(b"[]"),
    "flat objects": lambda: b'"x":[%s]' % fill(b"{}"),
    "960 flat lists": lambda: b'"x":[%s]' % few(b"[]"),
    "960 flat objects": lambda: b'"x":[%s]' % few(b"{}"),
    "640 objects of one member": lambda: b'"x":[%s]' % few(b'{"a":{}}', 640),
    "16 lists 60 deep": lambda: b'"x":[%s]' % few(b"[" * 60 + b"]" * 60, 16),
    "1,920 floats": lambda: b'"x":[%s]' % few(b"1e-9", 1920),
    "1,920 integers": lambda: b'"x":[%s]' % few(b"12345", 1920),
    "1,920 empty strings": lambda: b'"x":[%s]' % few(b'""', 1920),
    "1,300 different members": lambda: b",".join(b'"%d":0' % number for number in range(1300)),
    "1,600 different roles": lambda: b'"roles":[%s]' % b",".join(b'"%d"' % number for number in range(1600)),
    "1,600 audiences and ours": lambda: b'"aud":[%s,"api://jobs"]' % b",".join(b'"%d"' % number for number in range(1600)),
    "1,600 audiences and a number": lambda: b'"aud":[%s,0]' % b",".join(b'"%d"' % number for number in range(1600)),
    "numbers of one digit": lambda: b'"x":[%s]' % fill(b"0"),
    "empty strings": lambda: b'"x":[%s]' % fill(b'""'),
    "nulls": lambda: b'"x":[%s]' % fill(b"null"),
    "lists 60 deep": lambda: b'"x":[%s]' % fill(b"[" * 60 + b"]" * 60),
    "objects 60 deep": lambda: b'"x":[%s]' % fill(b'{"":' * 60 + b"0" + b"}" * 60),
    "one list as deep as fits": lambda: b'"x":%s%s' % (b"[" * 5900, b"]" * 5900),
    "one list 64 deep, wide at the end": lambda: b'"x":%s%s%s' % (b"[" * 61, fill(b"[]", room=ROOM - 460), b"]" * 61),
    "combs of lists": lambda: b'"x":[%s]' % fill(b"[0," * 60 + b"0" + b"]" * 60),
    "floats 1e-300": lambda: b'"x":[%s]' % fill(b"1e-300"),
    "floats 5e-324": lambda: b'"x":[%s]' % fill(b"5e-324"),
    "floats 1e308": lambda: b'"x":[%s]' % fill(b"1e308"),
    "floats of 17 digits": lambda: b'"x":[%s]' % fill(b"1.7976931348623157e308"),
    "floats halfway between two doubles": lambda: b'"x":[%s]' % fill(b"9007199254740993.0"),
    "floats of 770 digits": lambda: b'"x":[%s]' % fill(b"0." + b"0" * 20 + b"123456789" * 83),
    "one float of 11,000 digits": lambda: b'"x":0.%s' % (b"1" * 11000),
    "one float with 11,000 zeros": lambda: b'"x":1%s.5' % (b"0" * 11000),
    "integers of 18 digits": lambda: b'"x":[%s]' % fill(b"9" * 18),
    "integers of 20 digits": lambda: b'"x":[%s]' % fill(b"9" * 20),
    "integers of 400 digits": lambda: b'"x":[%s]' % fill(b"9" * 400),
    "integers of 4,300 digits": lambda: b'"x":[%s]' % fill(b"9" * 4300),
    "one integer of 11,000 digits": lambda: b'"x":%s' % (b"9" * 11000),
    "exp of 4,300 digits": lambda: b'"exp":%s' % (b"9" * 4300),
    "one member many times": lambda: fill(b'"a":1'),
    "aud many times": lambda: fill(b'"aud":"api://jobs"'),
    "many members": lambda: numbered(b'"%d":0'),
    "many members with lists": lambda: numbered(b'"%d":[]'),
    "escapes": lambda: b'"x":"%s"' % (b"\\u0041" * 1900),
    "escaped names": lambda: numbered(b'"\\u0041%d":0'),
    "surrogate pairs": lambda: b'"x":"%s"' % (b"\\ud83d\\ude00" * 980),
    "backslashes": lambda: b'"x":"%s"' % (b"\\\\" * 5900),
    "UTF-8 of two bytes": lambda: b'"x":"%s"' % ("\u00e9" * 5900).encode(),
    "UTF-8 of four bytes": lambda: b'"x":"%s"' % ("\U0001f600" * 2900).encode(),
    "white space": lambda: b'"x":%s0' % (b" " * 11700),
    "white space between items": lambda: b'"x":[%s]' % fill(b"0 ", b" , "),
    "many scopes": lambda: b'"scp":"%s"' % fill(b"s", b" "),
    "many different scopes": lambda: b'"scp":"%s"' % numbered(b"%d", separator=b" "),
    "scopes in a list": lambda: b'"scp":[%s]' % numbered(b'"%d"'),
    "scopes of spaces": lambda: b'"scp":"%s"' % (b" " * 11700),
    "many roles": lambda: b'"roles":[%s]' % numbered(b'"%d"'),
    "many groups": lambda: b'"groups":[%s]' % fill(b'"%s"' % GUID.encode()),
    "many audiences": lambda: b'"aud":[%s]' % numbered(b'"%d"'),
    "empty audiences and ours": lambda: b'"aud":[%s,"api://jobs"]' % fill(b'""'),
    "audiences of the wrong type": lambda: b'"aud":[%s,"api://jobs"]' % fill(b"0"),
    "a long audience": lambda: b'"aud":"%s"' % (b"a" * 11700),
    "an issuer of hex digits": lambda: b'"iss":"%s"' % (b"a" * 11700),
    "an issuer of tenants": lambda: b'"iss":"%s"' % fill(GUID.encode(), b"/"),
    "an issuer of almost tenants": lambda: b'"iss":"%s"' % fill(b"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaa", b"g"),
    "a tenant of 11,000 characters": lambda: b'"tid":"%s"' % (b"a" * 11700),
    "a subject of 11,000 characters": lambda: b'"sub":"%s"' % (b"s" * 11700),
    "a client of 11,000 characters": lambda: b'"azp":"%s"' % (b"c" * 11700),
    "ver of 11,000 characters": lambda: b'"ver":"%s"' % (b"2" * 11700),
    "a typ that is a list": lambda: b'"typ":[%s]' % fill(b"[]"),
    "a nonce that is a list": lambda: b'"nonce":[%s]' % fill(b"[]"),
    "a subject that is a list": lambda: b'"sub":[%s]' % fill(b"[]"),
}
HEADERS: dict[str, Callable[[], bytes]] = {
    "x5c of many": lambda: b'"x5c":[%s]' % fill(b'""', room=HEADER_ROOM - 60),
    "x5c 60 deep": lambda: b'"x5c":[%s]' % fill(b"[" * 60 + b"]" * 60, room=HEADER_ROOM - 60),
    "x5c of objects": lambda: b'"x5c":[%s] ' % fill(b"{}", room=HEADER_ROOM - 60),
    "floats": lambda: b'"x":[%s]' % fill(b"1e-300", room=HEADER_ROOM - 60),
    "integers of 400 digits": lambda: b'"x":[%s] ' % fill(b"9" * 400, room=HEADER_ROOM - 60),
    "one integer of 4,300 digits": lambda: b'"x":%s ' % (b"9" * 4300),
    "many members": lambda: numbered(b'"%d":0', HEADER_ROOM - 60),
    "many members, with spaces": lambda: numbered(b'"%d": 0', HEADER_ROOM - 60),
    "objects of one member, with spaces": lambda: b'"x":[%s]' % fill(b'{"": 0}', room=HEADER_ROOM - 60),
    "one member many times": lambda: fill(b'"a":1', room=HEADER_ROOM - 60),
    "escapes": lambda: b'"x":"%s"' % (b"\\u0041" * 950),
    "backslashes": lambda: b'"x":"%s" ' % (b"\\\\" * 2900),
    "a long typ": lambda: b'"typ":"%s"' % fill(b"application/", b"", HEADER_ROOM - 60),
    "a long alg": lambda: b'"alg":"%s"' % (b"E" * 6000),
    "a long kid": lambda: b'"kid":"%s"' % (b"k" * 6000),
    "crit of many": lambda: b'"crit":[%s]' % fill(b'""', room=HEADER_ROOM - 60),
}


def table(bench: Any) -> Iterator[tuple[str, str, str]]:
    """Name, forged token, signed token."""
    for name, make in CLAIMS.items():
        for iss, issuer in (("", bench.issuer), (", Entra", TEMPLATE.replace("{tenantid}", GUID))):
            if iss and not any(word in name for word in ("issuer", "tenant", "scopes", "roles", "client", "ver ")):
                continue
            base = b'"iss":"%s","aud":"%s","exp":%d,"nbf":%d,"sub":"caller","tid":"%s","ver":"2.0","azp":"app","scp":"jobs"' % (
                issuer.encode(),
                bench.audience.encode(),
                bench.now + 36000,
                bench.now - 3600,
                GUID.encode(),
            )
            yield pair(bench, f"claims: {name}{iss}", HEADER, b"{" + base + b"," + make() + b"}")
    for name, make in HEADERS.items():
        header = HEADER[:-1] + b"," + make() + b"}"
        header = header if b'"alg":"EEE' not in header and b'"kid":"kkk' not in header else b"{" + make() + b"}"
        yield pair(bench, f"header: {name}", header, b"{}")


def pair(bench: Any, name: str, header: bytes, claims: bytes) -> tuple[str, str, str]:
    signed: str = bench.sign(header, claims)
    assert 4096 < len(signed) <= LIMIT, (name, len(signed))
    return name, signed.rpartition(".")[0] + "." + bench.b64(b"x" * 64), signed


@pytest.fixture(scope="module")
def verifier(bench: Any) -> Verifier:
    """Keys in hand, nothing remembered, so that every round goes the whole way; Entra's template beside a plain issuer."""
    rules: dict[str, Any] = {"audiences": [bench.audience], "algorithms": list(bench.algorithms), "jwks": bench.jwks}
    plain = Issuer(bench.issuer, **rules)
    template = Issuer(TEMPLATE, tenants="any", kind_of=entra.caller_kind, required_values={"ver": "2.0"}, **rules)
    return Verifier(Policy([plain, template]), clock=lambda: bench.now, remember=0)


def measured(verifier: Verifier, token: str) -> tuple[str, float, float]:
    """The verdict, the median seconds of it, and of it with the answer to the caller and the event in the log."""
    verdicts, bare, whole = set(), [], []
    values = [f"Bearer {token}"]
    for _ in range(ROUNDS):
        start = time.thread_time()
        try:
            verifier.authenticate(values)
        except AuthenticationError as error:
            bare.append(time.thread_time() - start)
            answer(error, "jobs")
            event_fields(error)
            whole.append(time.thread_time() - start)
            verdicts.add(error.code)
        else:
            bare.append(time.thread_time() - start)
            whole.append(bare[-1])
            verdicts.add("accepted")
    (code,) = verdicts
    return code, statistics.median(bare), statistics.median(whole)


def test_the_slowest_tokens_anybody_could_think_of_get_their_verdict_within_a_generous_bound(
    bench: Any, verifier: Verifier
) -> None:
    rows = []
    for name, forged, signed in table(bench):
        for who, token in (("forged", forged), ("signed", signed)):
            code, bare, whole = measured(verifier, token)
            assert who == "signed" or code != "accepted"
            rows.append((whole, bare, who, name, code, len(token)))
    rows.sort(reverse=True)
    print(f"\n{'ms':>7} {'with event':>10}  {'':6}  {'bytes':>6}  input")
    for whole, bare, who, name, code, size in rows:
        print(f"{bare * 1e3:7.3f} {whole * 1e3:10.3f}  {who}  {size:6}  {name} -> {code}")
    broken = [row for row in rows if row[0] > PROMISE]
    print(f"{len(rows) - len(broken)} of {len(rows)} within {PROMISE * 1e3:g} ms")
    assert rows[0][0] < GENEROUS, rows[:3]


def test_the_table_goes_all_the_way_somewhere(bench: Any, verifier: Verifier) -> None:
    """A table whose every row were refused at the first gate would measure nothing."""
    codes = {measured_code(verifier, signed) for _, _, signed in table(bench)}
    assert {"accepted", "malformed_token", "audience_not_accepted", "issuer_not_trusted", "claim_malformed"} <= codes


def measured_code(verifier: Verifier, token: str) -> str:
    try:
        verifier.verify(token)
    except AuthenticationError as error:
        return error.code
    return "accepted"
