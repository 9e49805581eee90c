"""The program in docs/doctor.md does what the page says it does: it is run against the stand-ins."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tokenward import entra
from tokenward.testing import DEFAULT_CLIENT_ID, DEFAULT_TENANT

PAGE = Path(__file__).parents[3] / "docs" / "doctor.md"


def test_the_program_of_the_page_finds_what_is_wrong(
    estate: Any, graph_url: str, workspace: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    estate.directory.grants.clear()
    names: dict[str, Any] = {
        "tenant": DEFAULT_TENANT,
        "client_id": DEFAULT_CLIENT_ID,
        "host": workspace[1],
        "graph": graph_url,
        "graph_token": estate.graph.token("Directory.Read.All", "Policy.Read.All"),
        "cloud": replace(entra.PUBLIC, authority=workspace[3]),
    }
    exec(program, names)  # the page's own words are what is tested
    assert names["causes"] == {1: None, 2: None, 3: False, 4: True, 5: True}
    titles = [title.split(" ")[0] for title in names["parts"]]
    assert titles == ["Client", "Keys", "Addresses", "Permissions", "Workspace", "Tenant"]
    (line,) = capsys.readouterr().out.strip().split("\n", 1)[:1]
    assert line.startswith("Permissions for AzureDatabricks permissions consented")
