"""databricks-sql-connector through the gateway: Thrift over HTTPS, with the driver's own generated server on the other side."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.servers

sql: Any = pytest.importorskip("databricks.sql")
ttypes: Any = pytest.importorskip("databricks.sql.thrift_api.TCLIService.ttypes")
service: Any = pytest.importorskip("databricks.sql.thrift_api.TCLIService.TCLIService")
binary: Any = pytest.importorskip("thrift.protocol.TBinaryProtocol")
transport: Any = pytest.importorskip("thrift.transport.TTransport")

PATH = "/sql/1.0/warehouses/0123456789abcdef"
TOKENS = "/oidc/v1/token"
OK = ttypes.TStatus(statusCode=ttypes.TStatusCode.SUCCESS_STATUS)
ROWS = 20_000
BOTH = pytest.mark.parametrize("kind", ["pass", "exchange"])


class Warehouse:
    """The few calls of Thrift that a query needs. Whatever is asked, the result is the numbers below ROWS, in two columns."""

    def OpenSession(self, req: Any) -> Any:  # noqa: N802  # the names are Thrift's
        handle = ttypes.TSessionHandle(sessionId=_handle(), serverProtocolVersion=req.client_protocol_i64)
        version = ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V5
        return ttypes.TOpenSessionResp(status=OK, sessionHandle=handle, serverProtocolVersion=version)

    def ExecuteStatement(self, req: Any) -> Any:  # noqa: N802
        kind = ttypes.TOperationType.EXECUTE_STATEMENT
        handle = ttypes.TOperationHandle(operationId=_handle(), operationType=kind, hasResultSet=True)
        direct = ttypes.TSparkDirectResults(operationStatus=self.GetOperationStatus(None), resultSetMetadata=_metadata())
        return ttypes.TExecuteStatementResp(status=OK, operationHandle=handle, directResults=direct)

    def GetOperationStatus(self, req: Any) -> Any:  # noqa: N802
        return ttypes.TGetOperationStatusResp(status=OK, operationState=ttypes.TOperationState.FINISHED_STATE)

    def GetResultSetMetadata(self, req: Any) -> Any:  # noqa: N802
        return _metadata()

    def FetchResults(self, req: Any) -> Any:  # noqa: N802
        numbers = ttypes.TColumn(i64Val=ttypes.TI64Column(values=list(range(ROWS)), nulls=b""))
        texts = ttypes.TColumn(stringVal=ttypes.TStringColumn(values=[f"row {number}" for number in range(ROWS)], nulls=b""))
        rows = ttypes.TRowSet(startRowOffset=0, rows=[], columns=[numbers, texts])
        return ttypes.TFetchResultsResp(status=OK, hasMoreRows=False, results=rows, resultSetMetadata=_metadata())

    def CloseOperation(self, req: Any) -> Any:  # noqa: N802
        return ttypes.TCloseOperationResp(status=OK)

    def CloseSession(self, req: Any) -> Any:  # noqa: N802
        return ttypes.TCloseSessionResp(status=OK)


def _handle() -> Any:
    return ttypes.THandleIdentifier(guid=uuid.uuid4().bytes, secret=uuid.uuid4().bytes)


def _metadata() -> Any:
    kinds = {"number": ttypes.TTypeId.BIGINT_TYPE, "text": ttypes.TTypeId.STRING_TYPE}
    columns = [
        ttypes.TColumnDesc(
            columnName=name,
            position=position,
            typeDesc=ttypes.TTypeDesc(types=[ttypes.TTypeEntry(primitiveEntry=ttypes.TPrimitiveTypeEntry(type=kind))]),
        )
        for position, (name, kind) in enumerate(kinds.items(), 1)
    ]
    schema = ttypes.TTableSchema(columns=columns)
    return ttypes.TGetResultSetMetadataResp(status=OK, schema=schema, resultFormat=ttypes.TSparkRowSetType.COLUMN_BASED_SET)


def answer_thrift(handler: Any) -> None:
    """One call of Thrift, carried in one POST."""
    sent, answer = transport.TMemoryBuffer(handler.body()), transport.TMemoryBuffer()
    service.Processor(Warehouse()).process(binary.TBinaryProtocol(sent), binary.TBinaryProtocol(answer))
    data = answer.getvalue()
    handler.begin(("content-type", "application/x-thrift"), ("content-length", str(len(data))))
    handler.wfile.write(data)


@pytest.fixture(scope="module")
def secure_gate(start: Any) -> Iterator[Any]:
    """Over TLS, since the driver speaks nothing else, and in front of the upstream that has Thrift."""
    with start("uvicorn with httptools", secure=True, moody_alone=True) as gate:
        yield gate


@pytest.fixture
def connected(secure_gate: Any, estate: Any) -> Iterator[Callable[..., Any]]:
    """`connected("exchange")`: the driver's connection. It is told where the gateway is as if that were the workspace."""
    with contextlib.ExitStack() as stack:

        def connect(kind: str, token: str | None = None) -> Any:
            url = secure_gate.url(kind)
            connection = sql.connect(
                server_hostname=url.removeprefix("https://"),
                http_path=PATH,
                _connection_uri=url + PATH,  # because the port is not 443
                access_token=token or estate.token(kind),
                _tls_trusted_ca_file=estate.ca_file,
                enable_telemetry=False,
                _retry_stop_after_attempts_count=1,
            )
            stack.callback(connection.close)
            return connection

        yield connect


@BOTH
def test_it_queries_by_thrift(connected: Any, estate: Any, kind: str) -> None:
    estate.moody.moods[PATH] = answer_thrift
    with connected(kind).cursor() as cursor:
        cursor.execute("SELECT number, text FROM numbers")
        rows = cursor.fetchall()
    assert (len(rows), tuple(rows[0]), tuple(rows[-1])) == (ROWS, (0, "row 0"), (ROWS - 1, f"row {ROWS - 1}"))
    values = {fields["authorization"] for _, path, fields in estate.moody.seen if path == PATH}
    assert len(values) == 1
    assert (f"Bearer {estate.token(kind)}" in values) == (kind == "pass")


def test_its_own_exchange_does_not_pass_the_gateway(connected: Any, estate: Any) -> None:
    """The driver offers a foreign token to its host's token endpoint first, and then uses it as it is."""
    estate.moody.moods[PATH] = answer_thrift
    connected("exchange")
    assert {path for _, path, _ in estate.moody.seen} == {PATH}


def test_a_refused_token_never_reaches_the_warehouse(connected: Any, estate: Any) -> None:
    estate.moody.moods[PATH] = answer_thrift
    with pytest.raises(sql.exc.Error):
        connected("pass", token="nonsense")
    assert estate.moody.seen == []
