"""SQL statements: `/api/2.0/sql/statements`, run by SQLite on no data, one connection per statement.

Shapes: docs.databricks.com/api/workspace/statementexecution. Values are strings or null, as in Databricks' JSON_ARRAY. SQLite's
dialect is not Databricks'; `current_user()` and `version()` are there.
"""

from __future__ import annotations

import itertools
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from tokenward.testing.workspace.messages import Object, Refused, Reply, Request, json_reply
from tokenward.testing.workspace.people import Principal
from tokenward.testing.workspace.shapes import api_error

MAX_ROWS = 10_000
MAX_STEPS = 5_000_000
"""Of SQLite's machine, a third of a second; a recursive query would otherwise never end."""
_STEPS_AT_ONCE = 10_000
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_TYPES: Mapping[type, tuple[str, str]] = {int: ("LONG", "BIGINT"), float: ("DOUBLE", "DOUBLE"), bytes: ("BINARY", "BINARY")}

Row = tuple[object, ...]


@dataclass(slots=True)
class Statement:
    """One statement and its outcome. `state` is what a client sees; one that was not waited for is PENDING when first seen."""

    id: str
    owner: str
    columns: list[str]
    rows: list[Row]
    error: str | None
    state: str


class Statements:
    """Every statement that was run, by its id. Nobody sees another's."""

    def __init__(self) -> None:
        self._held: dict[str, Statement] = {}

    def execute(self, request: Request, caller: Principal) -> Reply:
        """POST /api/2.0/sql/statements. `wait_timeout` "0s" answers before there is a result."""
        asked = request.json()
        text, warehouse = asked.get("statement"), asked.get("warehouse_id")
        if not isinstance(text, str) or not isinstance(warehouse, str) or not text or not warehouse:
            return api_error(400, "INVALID_PARAMETER_VALUE", "statement and warehouse_id are required")
        done = _run(text, caller.name, _parameters(asked.get("parameters")))
        statement = Statement(str(uuid.uuid4()), caller.name, *done, "")
        statement.state = "PENDING" if asked.get("wait_timeout") == "0s" else _final(statement)
        self._held[statement.id] = statement
        return json_reply(200, _shown(statement))

    def get(self, statement_id: str, caller: Principal) -> Reply:
        """GET /api/2.0/sql/statements/{id}: what was pending is done by now."""
        statement = self._own(statement_id, caller)
        if statement.state == "PENDING":
            statement.state = _final(statement)
        return json_reply(200, _shown(statement))

    def chunk(self, statement_id: str, number: str, caller: Principal) -> Reply:
        """GET .../result/chunks/{n}; there is only one chunk."""
        statement = self._own(statement_id, caller)
        if number != "0":
            return api_error(400, "INVALID_PARAMETER_VALUE", "There is no chunk of this number")
        return json_reply(200, _result(statement))

    def cancel(self, statement_id: str, caller: Principal) -> Reply:
        """POST .../cancel, which answers with an empty object."""
        statement = self._own(statement_id, caller)
        if statement.state == "PENDING":
            statement.state = "CANCELED"
        return json_reply(200, {})

    def _own(self, statement_id: str, caller: Principal) -> Statement:
        statement = self._held.get(statement_id)
        if statement is None or statement.owner != caller.name:
            raise Refused(api_error(404, "NOT_FOUND", f"The statement {statement_id} was not found."))
        return statement


def _final(statement: Statement) -> str:
    return "SUCCEEDED" if statement.error is None else "FAILED"


def _shown(statement: Statement) -> Object:
    shown: Object = {"statement_id": statement.id, "status": {"state": statement.state}}
    if statement.state == "FAILED":
        shown["status"] = {"state": "FAILED", "error": {"error_code": "BAD_REQUEST", "message": statement.error}}
    if statement.state == "SUCCEEDED":
        shown |= {"manifest": _manifest(statement), "result": _result(statement)}
    return shown


def _manifest(statement: Statement) -> Object:
    first = statement.rows[0] if statement.rows else (None,) * len(statement.columns)
    columns = [
        {"name": name, "position": position, "type_name": kinds[0], "type_text": kinds[1]}
        for position, (name, value) in enumerate(zip(statement.columns, first, strict=True))
        for kinds in [_TYPES.get(type(value), ("STRING", "STRING"))]
    ]
    count = len(statement.rows)
    return {
        "format": "JSON_ARRAY",
        "schema": {"column_count": len(columns), "columns": columns},
        "chunks": [{"chunk_index": 0, "row_offset": 0, "row_count": count}],
        "total_chunk_count": 1,
        "total_row_count": count,
        "truncated": False,
    }


def _result(statement: Statement) -> Object:
    rows = [[None if value is None else str(value) for value in row] for row in statement.rows]
    return {"chunk_index": 0, "row_offset": 0, "row_count": len(rows), "data_array": rows}


def _run(text: str, user: str, parameters: Mapping[str, object]) -> tuple[list[str], list[Row], str | None]:
    """Columns, rows, and what went wrong. Reading only: nothing of this machine can be touched."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.create_function("current_user", 0, lambda: user)
        connection.create_function("version", 0, lambda: "tokenward stand-in, not for production")
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY)
        looks = itertools.count(1)
        connection.set_progress_handler(lambda: next(looks) > MAX_STEPS // _STEPS_AT_ONCE, _STEPS_AT_ONCE)
        cursor = connection.execute(text, parameters)
        return [column[0] for column in cursor.description or ()], cursor.fetchmany(MAX_ROWS), None
    except (sqlite3.Error, sqlite3.Warning) as exc:
        return [], [], f"[PARSE_SYNTAX_ERROR] {exc}"
    finally:
        connection.close()


def _parameters(given: object) -> dict[str, object]:
    """Named parameters, written `:name` in the statement."""
    listed = given if isinstance(given, list) else []
    return {str(item["name"]): item.get("value") for item in listed if isinstance(item, dict) and "name" in item}
