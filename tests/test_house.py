"""The floors of the house: imports point down only, and the pure rooms know no clock, no network and no framework."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tokenward

ROOT = Path(tokenward.__file__).parent

FLOORS: list[set[str]] = [
    {"finding", "forks", "hints", "identity", "lazily", "redaction", "token.algorithms", "token.row", "token.strict"},
    {"keys.address", "keys.events", "keys.loops", "keys.port", "keys.waiters"},
    {"errors", "keys.body", "keys.metadata"},
    {"challenge", "keys.fetch", "logger", "token.authorization", "token.header", "validation"},
    {"issuer_name", "keylog", "keys.jwk", "keys.rhythm", "token.compact"},
    {"clouds", "diagnostics", "issuer_fields", "keys.decision", "keys.keyset", "keys.public_jwk"},
    {"keys.counts", "keys.location", "keys.snapshot"},
    {"issuer_location", "keys.freshness", "keys.loading"},
    {"issuer", "keys.seeding", "keys.status"},
    {"keys.books", "keys.static"},
    {"keys.source", "policy", "readiness", "token.caller", "token.lifetime"},
    {"entra", "keys.driving", "keys.export", "memory", "token.admission", "token.claims", "token.signature"},
    {"keys.aio", "keys.threads", "walk"},
    {"verifier"},
    {""},  # the package root: the public surface
]
"""From the ground up. A module imports only from floors below its own."""

ABOVE = ("acquisition", "asking", "judging", "metrics", "middleware", "databricks", "troubleshoot", "web", "testing", "cli")
"""Folders above all floors, from the ground up: each may import anything below it, and within a folder there is no cycle."""

IMPURE_ROOMS: dict[str, set[str]] = {
    "diagnostics": {"threading", "time"},
    "forks": {"os", "threading"},
    "asking.driving": {"time"},
    "databricks.forward_auth.forward_auth": {"starlette", "time"},
    "databricks.forward_auth.under_way": {"asyncio"},
    "databricks.gateway.aiohttp_mover": {"aiohttp", "asyncio", "ssl"},
    "databricks.admission.refusing": {"starlette"},
    "databricks.admission.tally": {"asyncio"},
    "databricks.gateway.deadline": {"asyncio"},
    "databricks.gateway.gateway": {"starlette", "time"},
    "databricks.gateway.relay": {"asyncio", "starlette"},
    "databricks.on_behalf_of.client_auth": {"os"},
    "databricks.environment": {"os"},
    "databricks.federation.would_accept": {"time"},
    "databricks.shared.redis_line": {"asyncio", "socket", "ssl"},
    "databricks.shared.redis_store": {"asyncio", "time"},
    "databricks.shared.sealing": {"os"},
    "databricks.shared.shared_tokens": {"os", "threading", "time"},
    "databricks.shared.together": {"time"},
    "databricks.single_flight": {"threading", "time"},
    "databricks.tokens": {"time"},
    "databricks.workspace.workspace": {"time"},
    "keys.aio": {"time"},
    "keys.fetch": {"httpx", "socket", "ssl", "threading"},
    "keys.loops": {"asyncio", "trio"},
    "keys.source": {"threading"},
    "keys.threads": {"threading", "time"},
    "logger": {"logging", "structlog"},
    "memory": {"threading"},
    "metrics.opentelemetry": {"opentelemetry"},
    "metrics.prometheus": {"prometheus_client"},
    "troubleshoot.explanation.explain": {"time"},
    "troubleshoot.explanation.keys": {"time"},
    "troubleshoot.keyreport.report": {"time"},
    "troubleshoot.logs.moment": {"datetime"},
    "troubleshoot.logs.source": {"os", "threading"},
    "troubleshoot.registration.examination": {"time"},
    "troubleshoot.registration.members": {"datetime"},
    "troubleshoot.surroundings.probe": {"asyncio", "httpx", "ssl", "time"},
    "troubleshoot.surroundings.workspace": {"time"},
    "verifier": {"time"},
    "web.body": {"starlette"},
    "web.guard": {"starlette"},
    "web.inspector": {"starlette"},
}
"""The rooms that know a clock, a lock, the network or a framework, and which. Every other room is pure."""

INTO_IMPURE_ROOMS = {
    ("", "verifier"),
    ("keylog", "logger"),
    ("keys.driving", "keys.source"),
    ("keys.export", "keys.source"),
    ("walk", "keys.source"),
    ("walk", "memory"),
}
"""Where a pure room names the type of an impure one, which it is given and does not make."""

IMPURE = {
    *("aiohttp", "asyncio", "datetime", "django", "fastapi", "http", "httpx", "logging", "opentelemetry", "os"),
    *("prometheus_client", "select", "selectors", "socket"),
    *("sqlite3", "ssl", "starlette", "structlog", "subprocess", "threading", "time", "trio", "urllib.request"),
}


def _modules() -> dict[str, ast.Module]:
    """Every module by its name below the package; folders by the name of the folder."""
    found = {}
    for path in ROOT.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found["" if name == "__init__" else name.removesuffix(".__init__")] = ast.parse(path.read_text("utf-8"))
    return found


MODULES = _modules()


def _imported(tree: ast.Module) -> set[str]:
    """Names of everything imported anywhere in a module, with the names that `from` takes."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that they can be read and searched"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _rooms_used(tree: ast.Module) -> set[str]:
    """The modules of the package that a module imports."""
    used = set()
    for name in _imported(tree):
        if name == "tokenward" or name.startswith("tokenward."):
            inside = name.removeprefix("tokenward").lstrip(".")
            used.add(inside if inside in MODULES else inside.rpartition(".")[0])
    return used


USED = {name: _rooms_used(tree) for name, tree in MODULES.items()}
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def _is_above(name: str) -> bool:
    return name.split(".")[0] in ABOVE


def test_every_module_has_a_floor() -> None:
    folders = {"keys", "token"}  # nothing but a docstring is in them
    assert set(MODULES) - set(FLOOR) - folders - {name for name in MODULES if _is_above(name)} == set()
    assert set(FLOOR) <= set(MODULES)
    assert all(not USED[folder] for folder in folders)


@pytest.mark.parametrize("name", sorted(FLOOR))
def test_imports_point_down_only(name: str) -> None:
    level = FLOOR[name]
    upwards = {used for used in USED[name] if _is_above(used) or FLOOR.get(used, level) >= level}
    assert upwards == set()


@pytest.mark.parametrize("name", sorted(name for name in MODULES if _is_above(name)))
def test_folders_above_the_floors_import_down_only_too(name: str) -> None:
    level = ABOVE.index(name.split(".")[0])
    assert {used for used in USED[name] if _is_above(used) and ABOVE.index(used.split(".")[0]) > level} == set()


def test_there_is_no_cycle_anywhere() -> None:
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> None:
        assert name not in path, f"{' -> '.join([*path, name])}"
        if name in done:
            return
        path.append(name)
        for used in sorted(USED[name] - {name}):
            visit(used)
        path.pop()
        done.add(name)

    for name in sorted(MODULES):
        visit(name)
    assert done == set(MODULES)


@pytest.mark.parametrize("name", sorted(set(MODULES) - {""}))
def test_no_module_imports_from_the_package_root(name: str) -> None:
    assert "" not in USED[name]


PURE_FOLDERS = ("acquisition.", "asking.", "judging.", "metrics.", "databricks.", "troubleshoot.", "web.")
JUDGED = sorted(FLOOR.keys() | {name for name in MODULES if name.startswith(PURE_FOLDERS)})
"""The rooms that must be pure, but for those above. Front doors, the testing package and the command line are all impure."""


@pytest.mark.parametrize("name", JUDGED)
def test_a_pure_room_knows_no_clock_no_network_and_no_framework(name: str) -> None:
    outside = {part for part in _imported(MODULES[name]) if not part.startswith("tokenward")}
    prefixes = {".".join(part.split(".")[:length]) for part in outside for length in (1, 2)}
    assert prefixes & IMPURE == IMPURE_ROOMS.get(name, set())


def test_what_a_pure_room_imports_is_pure_too() -> None:
    pure = FLOOR.keys() - IMPURE_ROOMS.keys()
    assert {(name, used) for name in pure for used in USED[name] if used in IMPURE_ROOMS} == INTO_IMPURE_ROOMS


def test_importing_the_package_imports_no_web_framework_and_no_server() -> None:
    script = "import sys, json, tokenward; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(json.loads(ran.stdout))
    assert "tokenward" in loaded
    assert loaded & {"starlette", "fastapi", "django", "uvicorn", "gunicorn", "flask", "pytest", "joserfc", "trio"} == set()


def test_no_file_speaks_of_the_machine_it_was_written_on() -> None:
    for path in ROOT.rglob("*.py"):
        text = path.read_text("utf-8")
        assert "/home/" not in text
        assert "/root/" not in text


def test_nothing_asserts_for_validation() -> None:
    asserts = [(name, node.lineno) for name, tree in MODULES.items() for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert asserts == []
