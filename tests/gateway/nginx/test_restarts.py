"""Under load: tokenward is restarted, killed and gone, and the issuer's keys rotate. Nothing passes without a verdict."""

from __future__ import annotations

import http.client
import itertools
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytestmark = pytest.mark.servers

FILES = "/api/2.0/fs/files/Volumes/main/default/v"
CALLERS = 4


class Load:
    """Callers on connections of their own, each asking for an address that nobody has asked for, so that nginx must ask, too."""

    def __init__(self, front: Any, mark: str) -> None:
        self._front = front
        self._mark = mark
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self.good: list[str] = [front.issuer.token(claims={"oid": f"caller-{number}"}) for number in range(CALLERS)]
        self.bad: list[str] = [front.issuer.token(lifetime=-60), front.issuer.token(key="stranger"), self.good[0][:-4] + "AAAA"]
        self.seen: Counter[tuple[bool, int]] = Counter()
        self.unmarked: list[int] = []
        self.broken: list[str] = []

    @contextmanager
    def running(self) -> Iterator[Load]:
        threads = [threading.Thread(target=self._call, daemon=True) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(30)

    def count(self, status: int) -> int:
        """Answers with this status to callers whose token is good."""
        return self.seen[True, status]

    def _call(self) -> None:
        connection = self._connection()
        while not self._stop.is_set():
            self._ask(connection, next(self._numbers))
        connection.close()

    def _connection(self) -> http.client.HTTPSConnection:
        """It connects again by itself once it was closed."""
        nginx = self._front.nginx
        return http.client.HTTPSConnection("localhost", nginx.port, timeout=30, context=nginx.context)

    def _ask(self, connection: http.client.HTTPSConnection, turn: int) -> None:
        is_good = turn % 4 != 0
        token = self.good[turn % len(self.good)] if is_good else self.bad[turn % len(self.bad)]
        try:
            connection.request("GET", f"{FILES}/{self._mark}-{turn}", headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as exc:
            self.broken.append(repr(exc))
            connection.close()
            return
        self.seen[is_good, answer.status] += 1
        if answer.status != 200 and not answer.getheader("Tokenward-Refused"):
            self.unmarked.append(answer.status)


def nobody_passed_without_a_verdict(front: Any, load: Load, mark: str) -> None:
    """Everything that arrived carries the credentials of a caller whose token is good; everybody else was refused by us."""
    arrived = front.upstream.arrived(f"/{mark}-")
    assert {tuple(arrival.values("authorization")) for arrival in arrived} <= {(f"Bearer {token}",) for token in load.good}
    assert len(arrived) == load.count(200)
    yes = [dict(verdict["asked"]) for verdict in front.verdicts_about(f"/{mark}-") if verdict["status"] == 200]
    assert {arrival.target for arrival in arrived} <= {asked["x-original-uri"] for asked in yes}
    assert {status for is_good, status in load.seen if not is_good} <= {401, 503}
    assert load.unmarked == []


def test_restarting_one_process_after_the_other_disturbs_nobody(front: Any, eventually: Any) -> None:
    load = Load(front, "rolling")
    with load.running():
        for number, how in ((0, signal.SIGTERM), (1, signal.SIGKILL), (0, signal.SIGKILL), (1, signal.SIGTERM)):
            enough = load.count(200) + 20
            eventually(lambda: load.count(200) >= enough, "progress")  # noqa: B023  # called before the next turn
            front.tokenward.end(number, how)
            enough = load.count(200) + 20
            eventually(lambda: load.count(200) >= enough, "progress without it")  # noqa: B023
            front.tokenward.start(number)
    assert load.broken == []
    assert {status for is_good, status in load.seen if is_good} == {200}
    nobody_passed_without_a_verdict(front, load, "rolling")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
def test_while_tokenward_is_gone_everybody_is_answered_503(front: Any, eventually: Any, how: int) -> None:
    mark = f"gone-{how}"
    load = Load(front, mark)
    with load.running():
        eventually(lambda: load.count(200) >= 20, "progress")
        for number in range(2):
            front.tokenward.end(number, how)
        arrived, refused = len(front.upstream.arrived(f"/{mark}-")), load.count(503)
        eventually(lambda: load.count(503) >= refused + 20, "503")
        assert len(front.upstream.arrived(f"/{mark}-")) <= arrived + CALLERS  # those whose verdict had come before
        for number in range(2):
            front.tokenward.start(number)
        enough = load.count(200) + 20
        eventually(lambda: load.count(200) >= enough, "recovery")
    assert load.broken == []
    assert {status for is_good, status in load.seen if is_good} == {200, 503}
    nobody_passed_without_a_verdict(front, load, mark)


def test_a_verdict_that_nginx_has_serves_while_tokenward_is_gone(front: Any) -> None:
    """For as long as it says, and for the same token, method and target only."""
    token = front.issuer.token()
    assert front.ask("GET", f"{FILES}/outlives", token=token).status == 200
    for number in range(2):
        front.tokenward.end(number, signal.SIGKILL)
    try:
        assert front.ask("GET", f"{FILES}/outlives", token=token).status == 200
        assert front.ask("GET", f"{FILES}/outlives?", token=token).status == 503
        assert front.ask("GET", f"{FILES}/outlives", token=front.issuer.token(claims={"oid": "other"})).status == 503
    finally:
        for number in range(2):
            front.tokenward.start(number)


def test_keys_that_rotate_disturb_nobody(front: Any, eventually: Any) -> None:
    load = Load(front, "rotating")
    with load.running():
        for _ in range(3):
            enough = load.count(200) + 30
            eventually(lambda: load.count(200) >= enough, "progress")  # noqa: B023  # called before the next turn
            front.issuer.control("rotate")
            load.good.append(front.issuer.token(claims={"oid": f"caller-{len(load.good)}"}))
        enough = load.count(200) + 30
        eventually(lambda: load.count(200) >= enough, "progress")
    assert load.broken == []
    assert {status for is_good, status in load.seen if is_good} == {200}
    nobody_passed_without_a_verdict(front, load, "rotating")
    seen = {tuple(arrival.values("authorization")) for arrival in front.upstream.arrived("/rotating-")}
    assert seen == {(f"Bearer {token}",) for token in load.good}
