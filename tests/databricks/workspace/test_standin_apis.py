"""SQL statements, serving endpoints, files and jobs of the stand-in, by their documented shapes."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from tokenward.testing.workspace import DEFAULT_SERVICE_PRINCIPAL, DEFAULT_USER, DatabricksWorkspace

Bearer = Callable[..., dict[str, str]]
SQL = "/api/2.0/sql/statements"
FILE = "/api/2.0/fs/files/Volumes/main/default/data/a.bin"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/2.0/preview/scim/v2/Me"),
        ("POST", SQL),
        ("GET", f"{SQL}/x"),
        ("POST", "/serving-endpoints/echo/invocations"),
        ("PUT", FILE),
        ("GET", FILE),
        ("POST", "/api/2.2/jobs/run-now"),
        ("GET", "/api/2.1/jobs/runs/get?run_id=1"),
        ("GET", "/no/such/path"),
    ],
)
def test_every_api_is_behind_the_gate(http: httpx.Client, method: str, path: str) -> None:
    assert http.request(method, path).status_code == 401
    assert http.request(method, path, headers={"authorization": "Bearer abc"}).status_code == 403


def test_an_unknown_path_is_a_404_for_who_may_call(http: httpx.Client, bearer: Bearer) -> None:
    answer = http.get("/no/such/path", headers=bearer())
    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


# -- SQL ---------------------------------------------------------------------------------------------------------------


def _run(http: httpx.Client, headers: dict[str, str], statement: str, **members: object) -> httpx.Response:
    return http.post(SQL, json={"statement": statement, "warehouse_id": "w", **members}, headers=headers)


def test_a_statement_is_really_run_as_the_caller(http: httpx.Client, bearer: Bearer) -> None:
    body = _run(http, bearer(), "SELECT current_user() AS who, 6 * 7 AS answer, NULL AS missing").json()
    assert body["status"] == {"state": "SUCCEEDED"}
    assert body["result"]["data_array"] == [[DEFAULT_USER, "42", None]]
    assert [(column["name"], column["type_text"]) for column in body["manifest"]["schema"]["columns"]] == [
        ("who", "STRING"),
        ("answer", "BIGINT"),
        ("missing", "STRING"),
    ]
    assert body["manifest"]["total_row_count"] == 1


def test_named_parameters_are_bound(http: httpx.Client, bearer: Bearer) -> None:
    body = _run(http, bearer(), "SELECT :word AS w", parameters=[{"name": "word", "value": "x' OR 1=1"}]).json()
    assert body["result"]["data_array"] == [["x' OR 1=1"]]


def test_a_statement_that_is_not_waited_for_is_pending_first(http: httpx.Client, bearer: Bearer) -> None:
    first = _run(http, bearer(), "SELECT 1", wait_timeout="0s").json()
    assert first["status"] == {"state": "PENDING"}
    assert "result" not in first
    later = http.get(f"{SQL}/{first['statement_id']}", headers=bearer()).json()
    assert (later["status"]["state"], later["result"]["data_array"]) == ("SUCCEEDED", [["1"]])
    chunk = http.get(f"{SQL}/{first['statement_id']}/result/chunks/0", headers=bearer()).json()
    assert chunk["data_array"] == [["1"]]


def test_a_pending_statement_can_be_canceled(http: httpx.Client, bearer: Bearer) -> None:
    first = _run(http, bearer(), "SELECT 1", wait_timeout="0s").json()
    assert http.post(f"{SQL}/{first['statement_id']}/cancel", headers=bearer()).status_code == 200
    assert http.get(f"{SQL}/{first['statement_id']}", headers=bearer()).json()["status"]["state"] == "CANCELED"


def test_nobody_sees_anothers_statement(http: httpx.Client, bearer: Bearer) -> None:
    first = _run(http, bearer(), "SELECT 1").json()
    assert http.get(f"{SQL}/{first['statement_id']}", headers=bearer(DEFAULT_SERVICE_PRINCIPAL)).status_code == 404


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("SELEC 1", id="no SQL"),
        pytest.param("ATTACH DATABASE '/etc/passwd' AS x", id="a file of this machine"),
        pytest.param("CREATE TABLE t (a)", id="writing"),
        pytest.param("SELECT 1; SELECT 2", id="two statements"),
        pytest.param("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t", id="without end"),
    ],
)
def test_a_statement_that_cannot_be_run_fails_in_the_body(http: httpx.Client, bearer: Bearer, statement: str) -> None:
    answer = _run(http, bearer(), statement)
    assert answer.status_code == 200
    assert answer.json()["status"]["state"] == "FAILED"
    assert answer.json()["status"]["error"]["error_code"] == "BAD_REQUEST"


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"statement": "SELECT 1"}', b'{"statement": 1, "warehouse_id": "w"}'])
def test_a_request_without_a_statement_is_refused(http: httpx.Client, bearer: Bearer, body: bytes) -> None:
    assert http.post(SQL, content=body, headers=bearer()).status_code == 400


# -- serving -----------------------------------------------------------------------------------------------------------

INVOKE = "/serving-endpoints/echo/invocations"
MESSAGES = {"messages": [{"role": "user", "content": "one two three"}]}


def test_a_chat_is_answered_at_once(http: httpx.Client, bearer: Bearer) -> None:
    answer = http.post(INVOKE, json=MESSAGES, headers=bearer())
    choice = answer.json()["choices"][0]
    assert (choice["message"], choice["finish_reason"]) == ({"role": "assistant", "content": "one two three"}, "stop")
    assert answer.headers["served-model-name"] == "echo"


def test_a_chat_is_streamed_event_by_event(http: httpx.Client, bearer: Bearer) -> None:
    """The first event arrives while the stream is open: nothing is collected first."""
    with http.stream("POST", INVOKE, json={**MESSAGES, "stream": True}, headers=bearer()) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["transfer-encoding"] == "chunked"
        data = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert data[-1] == "[DONE]"
    chunks = [json.loads(text) for text in data[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "one two three"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]


def test_events_arrive_while_the_stream_is_still_open(http: httpx.Client, standin: DatabricksWorkspace, bearer: Bearer) -> None:
    standin.serving.pause = 60.0
    with http.stream("POST", INVOKE, json={**MESSAGES, "stream": True}, headers=bearer()) as answer:
        lines = answer.iter_lines()
        assert '"one"' in next(lines)
        standin.serving.stop()
        assert any("[DONE]" in line for line in lines)


def test_other_models_predict_what_they_are_given(http: httpx.Client, bearer: Bearer) -> None:
    answer = http.post(INVOKE, json={"dataframe_records": [{"a": 1}]}, headers=bearer())
    assert answer.json() == {"predictions": [{"a": 1}]}
    assert http.post(INVOKE, json={"a": 1}, headers=bearer()).status_code == 400


def test_an_endpoint_that_is_not_there_is_a_404(http: httpx.Client, bearer: Bearer) -> None:
    answer = http.post("/serving-endpoints/other/invocations", json=MESSAGES, headers=bearer())
    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_sent(http: httpx.Client, bearer: Bearer) -> None:
    data = bytes(range(256)) * 1000
    assert http.put(FILE, content=data, headers=bearer()).status_code == 204
    answer = http.get(FILE, headers=bearer())
    assert answer.content == data
    assert (answer.headers["content-type"], answer.headers["content-length"]) == ("application/octet-stream", str(len(data)))
    head = http.head(FILE, headers=bearer())
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(data)), b"")


def test_a_body_of_unknown_length_is_stored_too(http: httpx.Client, bearer: Bearer) -> None:
    assert http.put(FILE, content=iter([b"one", b"", b"two" * 50_000]), headers=bearer()).status_code == 204
    assert http.get(FILE, headers=bearer()).content == b"one" + b"two" * 50_000


@pytest.mark.parametrize(
    ("wish", "status", "body", "content_range"),
    [
        pytest.param("bytes=2-4", 206, b"cde", "bytes 2-4/10", id="a part"),
        pytest.param("bytes=7-", 206, b"hij", "bytes 7-9/10", id="from there on"),
        pytest.param("bytes=8-99", 206, b"ij", "bytes 8-9/10", id="beyond the end"),
        pytest.param("bytes=0-9", 200, b"abcdefghij", None, id="all of it"),
        pytest.param("lines=1-2", 200, b"abcdefghij", None, id="another unit"),
        pytest.param("bytes=10-", 416, None, "bytes */10", id="nothing of it"),
    ],
)
def test_parts_of_a_file_can_be_read(
    http: httpx.Client, bearer: Bearer, wish: str, status: int, body: bytes | None, content_range: str | None
) -> None:
    http.put(FILE, content=b"abcdefghij", headers=bearer())
    answer = http.get(FILE, headers={**bearer(), "range": wish})
    assert (answer.status_code, answer.headers.get("content-range")) == (status, content_range)
    assert body is None or answer.content == body


def test_a_file_is_not_overwritten_unless_asked(http: httpx.Client, bearer: Bearer) -> None:
    http.put(FILE, content=b"first", headers=bearer())
    again = http.put(FILE, content=b"second", headers=bearer())
    assert (again.status_code, again.json()["error_code"]) == (409, "ALREADY_EXISTS")
    assert http.put(FILE, params={"overwrite": "true"}, content=b"second", headers=bearer()).status_code == 204
    assert http.get(FILE, headers=bearer()).content == b"second"


def test_a_file_that_is_removed_or_was_never_there_is_a_404(http: httpx.Client, bearer: Bearer) -> None:
    http.put(FILE, content=b"x", headers=bearer())
    assert http.delete(FILE, headers=bearer()).status_code == 204
    for method in ("GET", "HEAD", "DELETE"):
        assert http.request(method, FILE, headers=bearer()).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/Volumes/a/b/c", "/Volumes/a/b/c/", "/etc/passwd", "/Volumes/a/b/c/..%2F..%2Fx", "/Volumes/a/b/c/%2E%2E/x", "/Volumes"],
)
def test_a_path_that_is_no_file_of_a_volume_is_refused(http: httpx.Client, bearer: Bearer, path: str) -> None:
    assert http.put(f"/api/2.0/fs/files{path}", content=b"x", headers=bearer()).status_code == 400


def test_the_files_end_with_the_workspace(standin: DatabricksWorkspace, http: httpx.Client, bearer: Bearer) -> None:
    http.put(FILE, content=b"x", headers=bearer())
    (file,) = standin.volumes._files.values()
    assert file.place.exists()
    standin.close()
    assert not file.place.parent.exists()


# -- jobs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.1", "2.2"])
def test_a_job_is_run_and_ends(http: httpx.Client, bearer: Bearer, version: str) -> None:
    base = f"/api/{version}/jobs"
    run = http.post(f"{base}/run-now", json={"job_id": 101}, headers=bearer()).json()
    assert run["number_in_job"] == 1
    looks = [http.get(f"{base}/runs/get", params={"run_id": run["run_id"]}, headers=bearer()).json() for _ in range(3)]
    assert [look["state"]["life_cycle_state"] for look in looks] == ["PENDING", "RUNNING", "TERMINATED"]
    assert looks[-1]["state"]["result_state"] == "SUCCESS"
    assert looks[-1]["creator_user_name"] == DEFAULT_USER


def test_jobs_and_runs_that_are_not_there_are_refused(http: httpx.Client, bearer: Bearer) -> None:
    assert http.post("/api/2.2/jobs/run-now", json={"job_id": 9}, headers=bearer()).status_code == 400
    assert http.get("/api/2.2/jobs/get", params={"job_id": "x"}, headers=bearer()).status_code == 400
    assert http.get("/api/2.2/jobs/get", params={"job_id": "101"}, headers=bearer()).json()["settings"] == {"name": "nightly"}
    assert http.get("/api/2.2/jobs/runs/get", params={"run_id": "9"}, headers=bearer()).status_code == 400
