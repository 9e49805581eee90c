"""The inspector over real HTTP, a real Chromium in front of it, and what it asked, said and refused while a test ran."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.types import ASGIApp

from tokenward import Policy, entra
from tokenward.testing import IssuerServer, LocalIssuer
from tokenward.web import inspector

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

PATIENCE = 20.0
"""Seconds for a busy machine."""
CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
USUAL: ViewportSize = {"width": 1180, "height": 900}
QUIET = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run")
VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


class Running:
    """An app behind uvicorn, in a thread of this process."""

    def __init__(self, app: ASGIApp) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True)

    def start(self) -> Running:
        self._thread.start()
        deadline = time.monotonic() + PATIENCE
        while not self._server.started:
            assert time.monotonic() < deadline, "the server did not start"
            self._thread.join(0.01)
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self._listener.close()


@contextmanager
def _running(app: ASGIApp) -> Iterator[Running]:
    server = Running(app).start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def running() -> Callable[[ASGIApp], Any]:
    """`with running(app) as server: server.url`."""
    return _running


@pytest.fixture(scope="module")
def tenant() -> Iterator[LocalIssuer]:
    """A tenant whose keys are served on this machine."""
    issuer = LocalIssuer()
    with IssuerServer(issuer):
        yield issuer


@pytest.fixture(scope="module")
def policy(tenant: LocalIssuer) -> Policy:
    return entra.api(tenant.client_id, [tenant.tenant], cloud=tenant.cloud)


@pytest.fixture(scope="module")
def site(policy: Policy) -> Iterator[Running]:
    """The inspector with the tenant's policy, as the command runs it."""
    with _running(inspector(policy, opted_in=True)) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, or a skip that says how to get it; where TOKENWARD_REQUIRE lists chromium it must be there.

    It lives no longer than a module: playwright keeps an event loop in this thread meanwhile, and other tests have their own.
    """
    missing = "Chromium (apt-get install chromium)" if CHROMIUM is None else ""
    missing = missing or ("" if find_spec("playwright") else "playwright (pip install playwright axe-playwright-python)")
    if missing:
        required = "chromium" in os.environ.get("TOKENWARD_REQUIRE", "").replace(",", " ").split()
        (pytest.fail if required else pytest.skip)(f"{missing} is not installed")
    from playwright.sync_api import sync_playwright

    options = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield chromium
        chromium.close()


@dataclass
class Watched:
    """A page, what it asked for, and what it complained of."""

    page: Page
    context: BrowserContext
    requests: list[Any] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Beginnings of complaints that a test brings about itself."""
    holds_time: bool = False

    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("() => window.violations ?? []")
        return found

    def require_clean(self) -> None:
        """No violation of the CSP, and nothing in the console."""
        assert self.violations() == []
        assert [complaint for complaint in self.complaints if not complaint.startswith(self.expected or ("\0",))] == []

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready]")

    def paste(self, where: str, text: str) -> None:
        """As from the clipboard: one input event with the whole text."""
        self.page.locator(where).fill(text)

    def text(self, where: str) -> str:
        return self.page.locator(where).inner_text()

    def hold_time(self) -> None:
        """From here on the page's timers wait for `let_pass`."""
        self.holds_time = True
        self.page.clock.install()

    def let_pass(self, seconds: int) -> None:
        """The page's timers run, and whatever they asked for has been seen here when it ends."""
        self.page.clock.run_for(seconds * 1000)
        self.page.evaluate("() => fetch('icon.svg').then((answer) => answer.text())")

    def sent(self) -> list[Any]:
        """The requests that could carry a token."""
        return [request for request in self.requests if request.method == "POST"]

    def verdict(self) -> str:
        """The word on the answer's card, once the server has answered."""
        self.page.wait_for_function("() => !['', 'Checking'].includes(document.getElementById('status').textContent)")
        return self.text("#result .verdict strong")


Opening = Callable[..., Watched]


@pytest.fixture
def opening(browser: Browser) -> Iterator[Opening]:
    """`opening(url, **options of a browser context)`; a violation of the CSP or an error in the console fails the test."""
    made: list[Watched] = []

    def _open(url: str, **options: Any) -> Watched:
        made.append(_watched(browser, **options))
        made[-1].open(url)
        return made[-1]

    yield _open
    for watched in made:
        watched.require_clean()
        watched.context.close()


def _watched(browser: Browser, **options: Any) -> Watched:
    context = browser.new_context(**{"viewport": USUAL, **options})
    context.set_default_timeout(PATIENCE * 1000)
    context.add_init_script(VIOLATIONS)
    watched = Watched(context.new_page(), context)
    page = watched.page
    page.on("request", lambda request: watched.requests.append(request))
    page.on("console", lambda message: watched.complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    return watched


@pytest.fixture(scope="module")
def at_hand() -> list[Watched]:
    """The page that a test has left, for the next one: a new one takes a second."""
    return []


@pytest.fixture
def inspected(browser: Browser, site: Running, at_hand: list[Watched]) -> Iterator[Watched]:
    """The page, opened and empty."""
    watched = at_hand.pop() if at_hand else _watched(browser)
    watched.page.set_viewport_size(USUAL)
    watched.requests.clear()
    watched.open(f"{site.url}/")
    yield watched
    watched.require_clean()
    if not watched.holds_time:
        at_hand.append(watched)


@pytest.fixture
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Watched, str], None]:
    """`kept(watched, name)` keeps a screenshot: in the folder that TOKENWARD_SCREENSHOTS names, or in the test's own."""
    folder = Path(os.environ.get("TOKENWARD_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def _keep(watched: Watched, name: str) -> None:
        watched.page.screenshot(path=folder / f"inspector-{name}.png", full_page=True)

    return _keep
