"""A pasted token stays: in no address, store, title, history or log, and no request leaves the page's own origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward import Policy
from tokenward.testing import LocalIssuer
from tokenward.web import inspector

pytestmark = pytest.mark.servers

STORED = """async () => ({
  local: localStorage.length, session: sessionStorage.length, cookies: document.cookie,
  databases: (await indexedDB.databases()).length, caches: (await caches.keys()).length,
  workers: (await navigator.serviceWorker.getRegistrations()).length,
  title: document.title, address: location.href, entries: history.length, state: history.state,
})"""


def _use_everything(watched: Any, token: str, other: str) -> None:
    watched.paste("#token", f"Bearer {token}")
    watched.verdict()
    watched.page.get_by_role("tab", name="Compare").click()
    watched.paste("#first", token)
    watched.paste("#second", other)
    watched.page.get_by_role("tab", name="Look up", exact=True).click()
    watched.paste("#error", f"AADSTS65001 {token}")
    watched.page.get_by_role("tab", name="Explain").click()


def test_a_token_goes_to_no_other_origin_and_into_no_address(inspected: Any, site: Any, tenant: LocalIssuer) -> None:
    token = tenant.user_token()
    _use_everything(inspected, token, tenant.app_token())
    parts = [part for part in token.split(".") if part]
    assert {request.url.startswith(f"{site.url}/") for request in inspected.requests} == {True}
    for request in inspected.requests:
        assert [part for part in parts if part in request.url] == []
        assert "referer" not in request.all_headers()
    carrying = [request for request in inspected.requests if request.post_data]
    assert [(request.method, request.url, request.post_data_json) for request in carrying] == [
        ("POST", f"{site.url}/explain", {"token": token})
    ]


def test_nothing_is_stored(inspected: Any, site: Any, tenant: LocalIssuer) -> None:
    _use_everything(inspected, tenant.user_token(), tenant.app_token())
    assert inspected.page.evaluate(STORED) == {
        "local": 0,
        "session": 0,
        "cookies": "",
        "databases": 0,
        "caches": 0,
        "workers": 0,
        "title": "tokenward inspector",
        "address": f"{site.url}/",
        "entries": inspected.page.evaluate("() => history.length"),
        "state": None,
    }
    assert inspected.context.cookies() == []


def test_history_does_not_grow(inspected: Any, tenant: LocalIssuer) -> None:
    before = inspected.page.evaluate("() => history.length")
    _use_everything(inspected, tenant.user_token(), tenant.app_token())
    assert inspected.page.evaluate("() => history.length") == before


def test_a_page_that_is_left_keeps_no_token(inspected: Any, site: Any, tenant: LocalIssuer) -> None:
    inspected.paste("#token", tenant.user_token())
    inspected.verdict()
    inspected.page.goto("about:blank")
    inspected.page.go_back()
    inspected.page.wait_for_selector("html[data-ready]")
    assert inspected.page.locator("#token").input_value() == ""


@pytest.mark.parametrize("box", ["#token", "#first", "#second", "#error"])
def test_no_box_is_read_by_spell_checkers_or_remembered(inspected: Any, box: str) -> None:
    element = inspected.page.locator(box)
    assert element.get_attribute("autocomplete") == "off"
    assert element.get_attribute("spellcheck") == "false"


def test_the_policy_of_the_page_stops_code_from_texts(opening: Any, site: Any) -> None:
    watched = opening(f"{site.url}/")
    watched.page.evaluate(
        """() => {
          try { document.body.insertAdjacentHTML('beforeend', '<p>x</p>'); } catch (error) { window.stopped = error.name; }
        }"""
    )
    assert watched.page.evaluate("() => window.stopped") == "TypeError"
    assert watched.violations() != []
    watched.page.evaluate("() => { window.violations = []; }")
    watched.expected = ("This document requires 'TrustedHTML'",)


# -- without its server ------------------------------------------------------------------------------------------------


def test_after_it_was_loaded_only_the_checks_need_the_server(
    opening: Any, running: Callable[..., Any], policy: Policy, tenant: LocalIssuer
) -> None:
    with running(inspector(policy, opted_in=True)) as server:
        watched = opening(f"{server.url}/")
    watched.expected = ("Failed to load resource",)
    watched.context.set_offline(True)
    watched.paste("#token", tenant.user_token())
    assert watched.verdict() == "Not checked"
    assert "server does not answer" in watched.text("#result .answer")
    assert "Signature not verified" in watched.text("#result .facts")
    assert watched.page.locator("svg.timeline").count() == 1
    assert watched.page.locator(".members").count() == 2
    watched.page.get_by_role("tab", name="Compare").click()
    watched.paste("#first", tenant.user_token())
    watched.paste("#second", tenant.app_token())
    assert "differences" in watched.text("#comparison .verdict")
    watched.page.get_by_role("tab", name="Look up", exact=True).click()
    watched.paste("#error", "AADSTS50011")
    assert "AADSTS50011" in watched.text("#explanations .verdict")


def test_a_server_elsewhere_gets_a_token_only_when_asked_to(
    opening: Any, running: Callable[..., Any], browser: Any, tenant: LocalIssuer
) -> None:
    app = inspector(opted_in=True, hosts=["inspector.localhost"], explainer=lambda token: {"verdict": "undecided", "checks": []})
    hosts: list[str] = []

    async def named(scope: Any, receive: Any, send: Any) -> None:
        hosts.extend(value.decode() for name, value in scope["headers"] if name == b"host")
        headers = [(name, value.partition(b":")[0] if name == b"host" else value) for name, value in scope["headers"]]
        headers = [(name, b"http://inspector.localhost" if name == b"origin" else value) for name, value in headers]
        await app({**scope, "headers": headers}, receive, send)

    with running(named) as server:
        watched = opening(f"{server.url.replace('127.0.0.1', 'inspector.localhost')}/")
        watched.hold_time()
        watched.paste("#token", tenant.user_token())
        watched.let_pass(10)
        assert watched.sent() == []
        assert "the token then goes to inspector.localhost" in watched.text("#result .answer")
        watched.page.locator("#check").click()
        assert watched.verdict() == "Undecided"
    assert {host.partition(":")[0] for host in hosts} == {"inspector.localhost"}
