"""`tokenward keys --watch`: a rotation is seen while it happens, in a pipe, as JSON lines and on a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.cli.keys_watch import follow
from tokenward.testing import HandClock, LocalIssuer, OidcIssuer
from tokenward.troubleshoot.keyreport.report import KeyReport, keys_of

WITHOUT_RICH = """\
import sys
sys.modules["rich"] = None
from tokenward.cli.main import main
sys.exit(main())"""

Watched = Callable[..., Any]


def test_a_rotation_is_told_line_by_line_in_a_pipe(watched: Watched, oidc: OidcIssuer) -> None:
    old = oidc.signing_key.kid
    with watched(oidc.issuer) as watching:
        watching.until(f"present {old}: RSA 2048, usable\n")
        new = oidc.rotate(keep_old=False).kid
        watching.until(f"removed {old}: ")
        code, text = watching.interrupt()
    assert code == 0
    assert f"added {new}: RSA 2048, usable\n" in text
    assert text.rstrip().endswith("keys: 1 added, 1 removed, 0 changed.")
    assert "\x1b" not in text
    assert "Traceback" not in text


def test_an_outage_and_its_end_are_told_as_json_lines(watched: Watched, oidc: OidcIssuer) -> None:
    with watched(oidc.issuer, "--json") as watching:
        watching.until('"present"')
        oidc.fail("status")
        watching.until('"failed"')
        oidc.recover()
        watching.until('"recovered"')
        code, text = watching.interrupt()
    told = [json.loads(line) for line in text.splitlines()]
    assert code == 0
    assert [event["event"] for event in told] == ["present", "failed", "recovered", "summary"]
    assert told[1]["detail"] == "status: HTTP 503"
    assert told[3]["failures"] >= 1


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        pytest.param({}, True, id="a terminal"),
        pytest.param({"NO_COLOR": "1"}, False, id="NO_COLOR"),
    ],
)
def test_a_terminal_gets_a_live_table(watched: Watched, oidc: OidcIssuer, variables: dict[str, str], coloured: bool) -> None:
    with watched(oidc.issuer, terminal=True, TERM="xterm-256color", COLUMNS="100", **variables) as watching:
        watching.until("before this watch")
        new = oidc.rotate().kid
        watching.until(f"added {new}")
        code, text = watching.interrupt()
    assert code == 0
    assert "published since" in text
    assert text.rstrip().endswith("keys: 1 added, 0 removed, 0 changed.")
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is back
    assert ("\x1b[32m" in text) is coloured


@pytest.mark.parametrize(
    ("variables", "script"),
    [
        pytest.param({"TERM": "dumb"}, None, id="a dumb terminal"),
        pytest.param({"TERM": "xterm"}, WITHOUT_RICH, id="rich is not installed"),
    ],
)
def test_a_terminal_that_cannot_have_a_table_gets_lines(
    watched: Watched, oidc: OidcIssuer, variables: dict[str, str], script: str | None
) -> None:
    with watched(oidc.issuer, terminal=True, script=script, **variables) as watching:
        watching.until(f"present {oidc.signing_key.kid}")
        code, text = watching.interrupt()
    assert (code, "\x1b[?25l" in text) == (0, False)
    assert ("pip install rich" in text) is (script is not None)


def test_a_watch_asks_at_the_interval_and_ends_with_ctrl_c(capsys: pytest.CaptureFixture[str], wall: HandClock) -> None:
    issuer, slept = LocalIssuer(clock=wall), []

    def look() -> KeyReport:
        return keys_of("https://login.microsoftonline.com/common/v2.0", fetch=issuer.fetch, clock=wall)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        wall.advance(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    assert follow(look, interval=17.0, as_json=True, sleep=sleep) == 0
    assert slept == [17.0, 17.0, 17.0]
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["event"], last["looks"], last["at"]) == ("summary", 3, wall() - 17.0)
