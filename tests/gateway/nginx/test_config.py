"""What the shipped file says, as nginx reads it; where it cannot be seen from outside within a test's time."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.servers

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def values(text: str, name: str) -> list[str]:
    return re.findall(rf"^\s*{name}\s+([^;]+);", text, re.MULTILINE)


def seconds(value: str) -> int:
    found = re.fullmatch(r"(\d+)([smh]?)", value)
    assert found
    return int(found[1]) * UNITS[found[2]]


@pytest.fixture(scope="module")
def effective(front: Any) -> str:
    return str(front.nginx.effective())


def test_nginx_has_nothing_to_complain_of(front: Any) -> None:
    """But for the user, whom only a master that runs as root can take."""
    complaints = [line for line in front.nginx.complaints() if '"user" directive' not in line]
    assert complaints == []


def test_the_longest_answer_of_a_serving_endpoint_is_waited_for(effective: str) -> None:
    """297 seconds; the two that are shorter are of what is asked of tokenward."""
    waits = sorted(seconds(value) for value in values(effective, "proxy_read_timeout"))
    assert waits == [10, 30, 310, 3600]
    assert [seconds(value) for value in values(effective, "proxy_send_timeout")] == [310]


def test_every_location_asks_for_a_verdict_or_is_one_that_reaches_no_upstream(effective: str) -> None:
    server = effective[effective.index("server {") :]
    assert re.search(r"^        auth_request /-/verdict;", server, re.MULTILINE), "not for the whole server"
    for name, body in re.findall(r"^        location ([^{]+) \{(.*?)^        \}", server, re.MULTILINE | re.DOTALL):
        if "auth_request off;" in body:
            assert "$destination" not in body, name
            assert "workspace" not in body, name
        else:
            assert values(body, "proxy_pass") == ["https://$destination"], name


def test_only_what_a_verdict_says_makes_it_last(effective: str) -> None:
    assert values(effective, "proxy_cache_valid") == []
    assert set(values(effective, "proxy_cache_use_stale")) == {"off"}
    assert values(effective, "proxy_cache_key") == ['"$request_method $request_uri $http_authorization"']


def test_every_placeholder_is_explained(effective: str) -> None:
    text = (Path(__file__).parents[3] / "deploy" / "nginx.conf").read_text()
    head, _, rest = text.partition("\nuser ")
    names = set(re.findall(r"__[A-Z_]+?__", text))
    assert names == set(re.findall(r"__[A-Z_]+?__", head))
    assert all(name in "user " + rest for name in names)


def test_a_reload_drops_nothing(front: Any, eventually: Any) -> None:
    """It is how certificates and addresses are renewed."""
    token, target = front.issuer.token(), "/api/2.0/fs/files/Volumes/main/default/v/reload"
    assert front.ask("GET", target, token=token).status == 200
    old = front.nginx.workers()
    subprocess.run(["kill", "-HUP", (front.nginx.folder / "run" / "nginx.pid").read_text().strip()], check=True)
    eventually(lambda: front.ask("GET", target, token=token).status == 200 and front.nginx.workers() - old, "new workers")
    assert len(front.verdicts_about("/reload")) == 1
