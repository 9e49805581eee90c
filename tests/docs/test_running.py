"""What runs the pages notices what it is there for: a command that fails, and output that is not as it is shown."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

Run = Callable[..., "list[str]"]

pytestmark = [pytest.mark.servers, pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")]


def _page(commands: str, *shown: str) -> str:
    told = "".join(f"\n```text\n{text}\n```\n" for text in shown)
    return f"# A page\n\n```sh\n{commands}\n```\n{told}"


FINE = [
    pytest.param(_page("true"), id="nothing printed, nothing shown"),
    pytest.param(_page("printf 'a\\nb\\nc\\n'", "a\n...\nc"), id="lines left out and marked so"),
    pytest.param(_page("printf 'a\\nb\\nc\\n'", "...\nb\n..."), id="the middle of it"),
    pytest.param(_page("printf 'x\\nx\\nend\\nx\\nend\\n'", "x\n...\nx\nend"), id="an end that is printed twice"),
    pytest.param(_page("echo a b c", "a b ..."), id="the end of a line left out and marked so"),
    pytest.param(_page("echo 'a   b'", "a b"), id="columns of another width"),
    pytest.param(_page("echo at 2026-01-02 03:04:05 UTC", "at 2027-02-03 04:05:06 UTC"), id="another time"),
    pytest.param(_page("echo no >&2; exit_with() { return 3; }; exit_with", "no\nexit code 3"), id="an exit code that is shown"),
    pytest.param(_page("A=1") + _page("echo $A", "1"), id="blocks of one shell"),
]
WRONG = [
    pytest.param(_page("false"), "exit codes [1]", id="a command that fails"),
    pytest.param(_page("false; echo a", "a"), "exit codes [1]", id="a command that fails before another"),
    pytest.param(_page("false | cat"), "exit codes [1]", id="a command that fails in a pipeline"),
    pytest.param(_page("tokenward diagnose nonsense > /dev/null 2>&1"), "exit codes [1]", id="a tokenward that says no"),
    pytest.param(_page("no_such_command 2> /dev/null"), "exit codes [127]", id="a command that does not exist"),
    pytest.param(_page("true", "exit code 1"), "exit codes []", id="a shown exit code that does not come"),
    pytest.param(_page("(exit 2)", "exit code 1"), "exit codes [2]", id="another exit code"),
    pytest.param(_page("echo a", "b"), "not printed there: b", id="another line"),
    pytest.param(_page("echo a"), "nothing is shown", id="output that is not shown"),
    pytest.param(_page("true", "a"), "not printed there: a", id="output that does not come"),
    pytest.param(_page("printf 'a\\nb\\nc\\n'", "a\nc"), "not printed there: a\nc", id="a line left out and not marked"),
    pytest.param(_page("echo a b c", "a b"), "not printed there: a b", id="the end of a line left out and not marked"),
    pytest.param(_page("echo a b c", "a c ..."), "not printed there: a c", id="another line with an end left out"),
    pytest.param(_page("printf 'a\\nb\\n'", "b"), "not printed there: b", id="a first line left out"),
    pytest.param(_page("printf 'a\\nb\\n'", "a"), "not printed there: a", id="a last line left out"),
    pytest.param(_page("printf 'b\\na\\n'", "...\na\n...\nb\n..."), "not printed there: b", id="lines in another order"),
    pytest.param(_page("exit 0") + _page("true"), "not run to its end", id="a page that ends too soon"),
]


@pytest.mark.parametrize("page", FINE)
def test_a_page_that_is_right_is_taken(complaints: Run, page: str) -> None:
    assert complaints(page) == []


@pytest.mark.parametrize(("page", "said"), WRONG)
def test_a_page_that_is_wrong_is_told(complaints: Run, page: str, said: str) -> None:
    assert said in "\n".join(complaints(page))
