"""Targets: what is checked is what is forwarded, byte for byte, whatever nginx itself makes of it."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.servers

FILES = "/api/2.0/fs/files/Volumes/main/default/v"
TRICKS = [
    "/api/2.0/../../login.html",
    "/api/2.0/%2e%2e/%2e%2e/login.html",
    "/api/2.0/.%2E/secret",
    "/api/2.0/%252e%252e/secret",
    "/api/2.0/./jobs",
    "/api/2.0/..;/secret",
    "/api/2.0/fs/files/..",
    "/api%2f2.0/fs",
    "/api/2.0/%2Fetc",
    "/api/2.0/%5c..%5csecret",
    "/api/2.0/\\..\\secret",
    "/api/2.0/%252f..",
    "//evil.example/api/2.0/fs/files/a",
    "/api//2.0/fs/files/a",
    "/api/2.0/fs/files//",
    "/api/2.0/jobs;admin=true/list",
    "/api/2.0/%253b/x",
    "/api/2.0/a%00b",
    "/api/2.0/a%2500b",
    "/api/2.0/a%0d%0aX-A:%20b",
    "/api/2.0/a%0ab",
    "/api/2.0/a#b",
    "/api/2.0/a%2",
    "/api/2.0/a%zz",
    "/api/2.0/a%u002e",
    "/api/2.0/\xe4",
    "/api/2.0/\x7f",
    "/api/2.0/a b",
    "?x=1",
    "*",
    "api/2.0/jobs",
    "localhost/api/2.0/jobs",
    "https://evil.example",
    "https://evil.example?x=1",
    "https://evil.example//api/2.0/jobs",
    "https://evil.example/../api/2.0/jobs",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("target", TRICKS)
def test_a_path_that_two_readers_could_read_in_two_ways_is_refused(front: Any, target: str) -> None:
    before = len(front.upstream.arrivals)
    reply = front.ask("GET", target, token=front.issuer.token())
    assert reply.status in (400, 403)
    assert reply.refused
    assert len(front.upstream.arrivals) == before


@pytest.mark.parametrize(
    "target",
    [
        f"{FILES}/%C3%A4%20x",
        f"{FILES}/%c3%a4",
        f"{FILES}/~%7E-%2D_%5F.x",
        f"{FILES}/%41BC",
        f"{FILES}/a+b@c:d!$&'()*,=",
        f"{FILES}/a?q=..%2F..%2f//;#".removesuffix("#"),
        f"{FILES}/a?next=https://evil.example/%00&x=%0d",
        f"{FILES}/a??b",
        f"{FILES}/a?",
        f"{FILES}/",
    ],
)
def test_what_was_checked_is_what_arrives(front: Any, target: str) -> None:
    """Raw: nginx decodes paths and merges slashes for itself, and tokenward judges what was sent."""
    verdicts, arrivals = len(front.tokenward.verdicts()), len(front.upstream.arrivals)
    reply = front.ask("GET", target, token=front.issuer.token())
    checked = [dict(verdict["asked"])["x-original-uri"] for verdict in front.tokenward.verdicts()[verdicts:]]
    arrived = [arrival.target for arrival in front.upstream.arrivals[arrivals:]]
    assert (reply.status, checked, arrived) == (200, [target], [target])


def test_an_absolute_form_is_its_path_at_our_upstream(front: Any) -> None:
    """RFC 9112 section 3.2.2 has servers accept it; its host is not ours to follow."""
    reply = front.ask("GET", f"http://evil.example{FILES}/absolute?x=1", token=front.issuer.token())
    [arrival] = front.upstream.arrived("/absolute")
    [verdict] = front.verdicts_about("/absolute")
    assert (reply.status, arrival.target, arrival.values("host")) == (200, f"{FILES}/absolute?x=1", ["localhost"])
    assert dict(verdict["asked"])["x-original-uri"] == arrival.target


@pytest.mark.parametrize("target", ["/", "/login.html", "/aad/auth", "/oidc/v1/token", "/driver-proxy-api/o/1/x", "/API/2.0/x"])
def test_a_path_that_is_not_allowed_is_refused(front: Any, target: str) -> None:
    before = len(front.upstream.arrivals)
    reply = front.ask("GET", target, token=front.issuer.token())
    assert (reply.status, reply.refused, reply.values("www-authenticate")) == (403, "path_not_allowed", [])
    assert len(front.upstream.arrivals) == before


@pytest.mark.parametrize("place", ["/-/verdict", "/-/malformed", "/-/too-large", "/-/not-allowed"])
@pytest.mark.parametrize("spelling", ["{}", "{}?x=1", "//-{rest}", "/x/..{}", "/%2d{rest}", "/-/./{name}", "http://a{}"])
def test_what_is_for_nginx_itself_cannot_be_asked_for(front: Any, place: str, spelling: str) -> None:
    """Nor does it answer with what a verdict holds."""
    token = front.issuer.token()
    name = place.rpartition("/")[2]
    target = spelling.format(place, rest=f"/{name}", name=name)
    before = len(front.upstream.arrivals)
    reply = front.ask("GET", target, token=token)
    assert reply.status in (400, 403)
    assert reply.refused
    assert reply.values("authorization") == []
    assert token not in str(reply.headers) + reply.body.decode()
    assert len(front.upstream.arrivals) == before
