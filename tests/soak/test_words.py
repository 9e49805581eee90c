"""What the soak says before and after a run: what it refuses to begin, and what it does not hide."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.soak import __main__ as soak
from benchmarks.soak.plot import obstacle
from benchmarks.soak.record import Record

RANGE = "20 to 1200 for both drivers, 10 to 600 for one"


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["soak", *arguments])
    return soak.main()


def _refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What it says when it begins nothing."""
    monkeypatch.setattr(soak, "_run", lambda *_: pytest.fail("it has begun"))
    with pytest.raises(SystemExit) as ended:
        _main(monkeypatch, *arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


def _ran(monkeypatch: pytest.MonkeyPatch, *drivers: str, interrupted: bool = False) -> None:
    """Runs of these drivers, broken off in the warm-up of the last."""
    found = [Record(driver, 60.0) for driver in drivers], interrupted
    monkeypatch.setattr(soak, "_run", lambda *_: found)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--seconds", "19"], id="both, too short"),
        pytest.param(["--seconds", "1201"], id="both, too long"),
        pytest.param(["--seconds", "9", "--driver", "async"], id="one, too short"),
        pytest.param(["--seconds", "601", "--driver", "threads"], id="one, too long"),
        pytest.param(["--seconds", "nan"], id="no number"),
    ],
)
def test_a_run_of_a_wrong_length_is_refused_with_the_right_ones(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _refused(monkeypatch, capsys, *arguments)
    assert said.startswith("usage: scripts/soak ")
    assert RANGE in said


@pytest.mark.parametrize(
    ("place", "why"),
    [
        pytest.param("file/plot.png", "File exists", id="a file where a directory should be"),
        pytest.param("file/deeper/plot.png", "Not a directory", id="a file above it"),
        pytest.param("directory.png", "Is a directory", id="a directory"),
        pytest.param("plot", "its name must end in .png", id="no kind of picture"),
    ],
)
def test_a_plot_that_cannot_be_written_is_refused_before_the_run(
    place: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory.png").mkdir()
    said = _refused(monkeypatch, capsys, "--plot", str(tmp_path / place))
    assert why in said
    assert "name a file in a directory that you may write to" in said


def test_to_look_whether_a_plot_can_be_written_leaves_no_file_and_takes_none_away(tmp_path: Path) -> None:
    old = tmp_path / "old.png"
    old.write_bytes(b"kept")
    assert obstacle(old) is None
    assert obstacle(tmp_path / "new" / "plot.png") is None
    assert old.read_bytes() == b"kept"
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(("interrupted", "code"), [pytest.param(True, 130, id="broken off"), pytest.param(False, 0, id="whole")])
def test_a_plot_that_cannot_be_written_after_all_changes_no_exit_code(
    interrupted: bool, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    _ran(monkeypatch, "async", "threads", interrupted=interrupted)
    monkeypatch.setattr(soak, "plot", full)
    path = tmp_path / "plot.png"
    assert _main(monkeypatch, "--plot", str(path)) == code
    assert f"no plot: {path} cannot be written: No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("drivers", "missing"),
    [
        pytest.param(["async"], "; not run: threads\n", id="in the first"),
        pytest.param(["async", "threads"], "\n", id="in the last"),
    ],
)
def test_a_run_that_was_broken_off_says_so_and_what_did_not_run(
    drivers: list[str], missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _ran(monkeypatch, *drivers, interrupted=True)
    assert _main(monkeypatch, "--json") == 130
    said = capsys.readouterr()
    assert said.err == f"interrupted: this is not the soak that was asked for{missing}"
    assert json.loads(said.out)["interrupted"] is True


def test_a_whole_run_says_nothing_of_that(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _ran(monkeypatch, "async", "threads")
    assert _main(monkeypatch, "--json") == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out)["interrupted"] is False
