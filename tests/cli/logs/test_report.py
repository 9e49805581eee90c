"""`tokenward report`: the real app's log as a page, as a plot on the terminal and as JSON."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_page_is_one_file_that_says_what_happened(logs: Run, incident_log: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = logs("report", str(incident_log), "--html", str(out), TZ="Europe/Berlin")
    assert done.returncode == 0
    assert "open it in a browser" in done.stderr
    text = out.read_text()
    for words in ("Most likely cause", "264 rejections from 2026-01-09 12:00:00 UTC+01:00", "audience_not_accepted", "app.log: "):
        assert words in text
    assert "http-equiv" in text
    assert "<script" not in text
    assert str(tmp_path) not in text


def test_beside_a_page_the_most_likely_cause_is_told_and_nothing_else(logs: Run, incident_log: Path, tmp_path: Path) -> None:
    whole = logs("report", str(incident_log)).stdout
    done = logs("report", str(incident_log), "--html", str(tmp_path / "report.html"))
    assert done.stdout.startswith("Most likely cause\n")
    assert done.stdout in whole
    assert done.stdout.splitlines()[-1] == "  next: tokenward explain, with a token of this client"


def test_the_plot_on_a_terminal_has_a_row_for_each_code(logs: Run, incident_log: Path) -> None:
    done = logs("report", str(incident_log), COLUMNS="80", PYTHONIOENCODING="utf-8")
    plot = done.stdout[done.stdout.index("Over time") :].splitlines()
    assert plot[0] == "Over time, each bar 1 min, each code on its own scale"
    assert [row.split()[0] for row in plot[1:5]] == [
        "audience_not_accepted",
        "missing_token",
        "token_expired",
        "insufficient_scope",
    ]
    assert plot[1].endswith("246 in all")
    assert "\u2581" in plot[1]
    assert "\u2588" in plot[1]
    assert max(map(len, plot)) <= 80
    assert "UTC to 2026-01-09" in plot[5]
    told = " ".join(" ".join(plot[6:]).split())
    assert told == "The peak: 37 from 2026-01-09 11:29:00 UTC, within 1 min, above all audience_not_accepted (37)."


def test_the_plot_does_with_ascii(logs: Run, incident_log: Path) -> None:
    done = logs("report", str(incident_log), PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    assert "@" in done.stdout[done.stdout.index("Over time") :]


@pytest.mark.parametrize("bucket", [None, 60, 300, 3600], ids=str)
def test_the_document_has_every_rejection_in_one_bar(logs: Run, incident_log: Path, bucket: int | None) -> None:
    options = [] if bucket is None else ["--bucket", str(bucket)]
    document = json.loads(logs("report", str(incident_log), "--json", *options).stdout)
    assert document["bucket"] == (bucket or 60)
    assert sum(count for bar in document["buckets"] for count in bar["counts"].values()) == document["rejections"] == 264
    assert all(bar["at"] % document["bucket"] == 0 for bar in document["buckets"])
    assert document["utc_offset"] == 0.0


def test_several_logs_are_one_and_compressed_ones_are_read(logs: Run, incident: str, tmp_path: Path) -> None:
    lines = incident.splitlines(keepends=True)
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress("".join(lines[:50]).encode()))
    (tmp_path / "app.log.1").write_text("".join(lines[50:90]))
    names = [str(tmp_path / name) for name in ("app.log.1", "app.log.2.gz")]
    document = json.loads(logs("report", *names, "-", "--json", stdin="".join(lines[90:])).stdout)
    assert (document["rejections"], document["lines"]) == (264, len(lines))


def test_the_page_goes_to_stdout_on_demand(logs: Run, incident: str) -> None:
    done = logs("report", "-", "--html", "-", stdin=incident)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("<!doctype html>")
    assert done.stdout.endswith("</html>\n")


def test_the_page_and_the_document_may_be_had_together(logs: Run, incident_log: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert json.loads(logs("report", str(incident_log), "--html", str(out), "--json").stdout)["rejections"] == 264
    assert out.exists()


UNUSABLE = [
    pytest.param(["LOG", "--bucket", "1"], "Give 4 or more", id="too many bars"),
    pytest.param(["LOG", "--bucket", "0"], "whole seconds", id="no seconds"),
    pytest.param(["LOG", "--bucket", "1.5"], "whole seconds", id="no whole seconds"),
    pytest.param(["LOG", "--bucket", "9999999"], "whole seconds", id="more than four weeks"),
    pytest.param(["LOG", "--html", "no/such/folder/report.html"], "No such file", id="no folder"),
    pytest.param(["LOG", "--html", "LOG"], "overwritten", id="the log itself"),
    pytest.param(["LOG", "--html", "-", "--json"], "stdout", id="two documents on stdout"),
    pytest.param(["-", "-"], "more than once", id="stdin twice"),
    pytest.param(["BROKEN.gz"], "cannot be read", id="no gzip"),
    pytest.param(["CUT.gz"], "cannot be read", id="a gzip that was cut off"),
    pytest.param([], "LOG", id="no log"),
]


@pytest.mark.parametrize(("arguments", "words"), UNUSABLE)
def test_what_cannot_be_used_ends_with_2_and_what_to_do(
    called: Run, incident_log: Path, arguments: list[str], words: str
) -> None:
    content = incident_log.read_bytes()
    names = {"LOG": str(incident_log)}
    for name, data in (("BROKEN.gz", b"no gzip"), ("CUT.gz", gzip.compress(content)[:-200])):
        names[name] = str(incident_log.parent / name)
        Path(names[name]).write_bytes(data)
    done = called("report", *[names.get(argument, argument) for argument in arguments])
    assert done.returncode == 2
    assert words in done.stderr
    assert "  next: " in done.stderr
    assert incident_log.read_bytes() == content


def test_a_log_without_rejections_ends_with_1_and_writes_nothing(logs: Run, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("all is well\n")
    done = logs("report", str(tmp_path / "app.log"), "--html", str(tmp_path / "report.html"))
    assert done.returncode == 1
    assert not (tmp_path / "report.html").exists()
