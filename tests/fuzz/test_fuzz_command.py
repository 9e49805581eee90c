"""What the command of the searches tells and returns: a search that did not take place is not one that found nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import command, hunt

ROOT = Path(__file__).parents[2]
SECONDS = 120
"""Until a process that should have ended is given up, on a machine with much else to do."""
ENGINE_TOLD = "INFO: Seed: 1\n#32\tINITED cov: 585 ft: 1000 corp: 25/6806b exec/s: 0 rss: 79Mb\n"

HIT = f"import os, signal, time; print({ENGINE_TOLD!r}, flush=True); os.kill(os.getppid(), signal.SIGINT); time.sleep({SECONDS})"
INTERRUPTED_ALL = f"""
import sys
from fuzz import command, hunt
hunt.is_possible = lambda: True
hunt._command = lambda name, seconds, grown: [sys.executable, "-c", {HIT!r}]
sys.exit(command.main(["all", "--json"]))
"""


def test_one_ctrl_c_ends_the_search_of_all_targets() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_ALL], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    told = json.loads(done.stdout)
    assert (done.returncode, told["interrupted"]) == (130, True)
    assert told["wanted"] == {"targets": ["authenticate", "jwks", "discovery"], "seconds": 60}
    assert [(row["target"], row["interrupted"]) for row in told["targets"]] == [("authenticate", True)]
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_the_differential_run_with_what_was_judged_by_then() -> None:
    asked = [sys.executable, "-m", "fuzz", "differential", "--count", "1000000", "--processes", "2", "--json"]
    with subprocess.Popen(
        asked, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        assert run.stderr is not None
        assert "starting" in run.stderr.readline()
        assert " of 1,000,000 tokens" in run.stderr.readline()
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to all of them
        out, err = run.communicate(timeout=SECONDS)
    told = json.loads(out)
    assert (run.returncode, told["interrupted"], told["wanted"]) == (130, True, {"tokens": 1_000_000})
    assert 0 < told["count"] == sum(told["verdicts"]["tokenward"].values()) < 1_000_000
    assert "Traceback" not in err


FOUND = [{"what": "a", "file": "b", "replay": "c"}]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        pytest.param([{"executions": 9}] * 3, 0, id="all searched"),
        pytest.param([{"executions": 9}, {"interrupted": True}], 130, id="interrupted"),
        pytest.param([{"executions": 9}, {"interrupted": True, "findings": FOUND}], 1, id="found, then interrupted"),
        pytest.param([{"failure": "it ran nothing"}] * 3, 2, id="nothing ran"),
        pytest.param([{"failure": "it ran nothing"}, {"findings": FOUND}, {"executions": 9}], 1, id="one ran nothing, one found"),
    ],
)
def test_the_exit_code_tells_what_became_of_the_search(
    monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, object]], code: int
) -> None:
    to_come = iter([hunt.Row(f"target {number}", 60, **row) for number, row in enumerate(rows)])  # type: ignore[arg-type]
    monkeypatch.setattr(hunt, "is_possible", lambda: True)
    monkeypatch.setattr(hunt, "hunt", lambda name, seconds: next(to_come))
    assert command.main(["all"]) == code


@pytest.mark.parametrize(
    ("engine", "code", "said"),
    [
        pytest.param("", 2, "ran nothing, and ended with 0", id="it ends at once"),
        pytest.param("raise ModuleNotFoundError('atheris')", 2, "ModuleNotFoundError: atheris", id="it does not start"),
        pytest.param(f"print({ENGINE_TOLD!r}); raise SystemExit(9)", 1, "ended with 9", id="it dies in the search"),
        pytest.param(f"print({ENGINE_TOLD!r})", 0, "starting", id="it searches"),
    ],
)
def test_an_engine_that_runs_nothing_is_no_search(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], engine: str, code: int, said: str
) -> None:
    monkeypatch.setattr(hunt, "is_possible", lambda: True)
    monkeypatch.setattr(hunt, "_command", lambda name, seconds, grown: [sys.executable, "-c", engine])
    assert command.main(["jwks"]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["all", "--seconds", "0"], "--seconds: 0 is no whole number from 1 on", id="no time"),
        pytest.param(["differential", "--count", "many"], "--count: many is no whole number from 1 on", id="no number"),
        pytest.param(["replay", "jwks", "nowhere"], "nowhere is no file", id="no file"),
    ],
)
def test_a_wrong_option_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    told = capsys.readouterr().err
    assert (ended.value.code, said in told, "_positive" in told) == (2, True, False)
    assert told.startswith("usage: scripts/fuzz")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
@pytest.mark.parametrize("words", [["everything"], ["--seconds", "5"], []], ids=["a wrong word", "an option alone", "nothing"])
def test_a_wrong_word_is_refused_before_anything_is_installed(tmp_path: Path, words: list[str]) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    done = subprocess.run(["bash", "scripts/fuzz", *words], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stdout, "--help" in done.stderr) == (2, "", True)
    assert [path.name for path in tmp_path.iterdir()] == ["scripts"]
