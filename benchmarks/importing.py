"""What importing tokenward costs beyond its dependencies, in fresh interpreters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from typing import Any

from benchmarks.checks import Check
from benchmarks.report import Row
from benchmarks.run import Run

NAME = "import, beyond the dependencies"
BUDGET_MS = 150.0
FRAMEWORKS = ("django", "fastapi", "flask", "starlette.applications", "starlette.routing", "uvicorn")

_PROBE = """
import importlib, json, sys, time
for name in {modules!r}:
    importlib.import_module(name)
start = time.perf_counter()
import tokenward
seconds = time.perf_counter() - start
print(json.dumps({{"ms": seconds * 1e3, "frameworks": [name for name in {frameworks!r} if name in sys.modules]}}))
"""


def importing(run: Run) -> list[Row]:
    """The dependencies are imported first, then the clock starts; the shortest of several interpreters."""
    found = [_probe() for _ in range(7 if run.timing else 1)]
    frameworks = ", ".join(sorted({name for one in found for name in one["frameworks"]})) or "none"
    run.check([Check(NAME, "tokenward", "web frameworks imported with it", "none", frameworks)])
    if not run.timing:
        return []
    milliseconds = [one["ms"] for one in found]
    details = {"runs_ms": milliseconds, "dependencies": _dependencies()}
    return [Row(NAME, min(milliseconds), BUDGET_MS, unit="ms", details=details)]


def _probe() -> dict[str, Any]:
    code = _PROBE.format(modules=_dependencies(), frameworks=FRAMEWORKS)
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)  # ours
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _dependencies() -> list[str]:
    """The import names of what pyproject.toml names; extras apart."""
    modules: set[str] = set()
    wanted = {_name(line) for line in metadata.requires("tokenward") or () if "extra ==" not in line}
    for module, distributions in metadata.packages_distributions().items():
        if not module.startswith("_") and wanted & {_canonical(name) for name in distributions}:
            modules.add(module)
    return sorted(modules)


def _name(requirement: str) -> str:
    return _canonical(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
