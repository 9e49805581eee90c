"""Graph's errors, in recorded shapes.

Sources: learn.microsoft.com/graph/errors and /resolve-auth-errors, and answers pasted into public issues. Not seen recorded: the
body of a 405, and which of several codes a throttled or failing directory names.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from tokenward.testing.faults import Answer

CONTENT_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
CODES = {
    400: ("BadRequest", "The request is malformed."),
    401: ("InvalidAuthenticationToken", "Access token is empty."),
    403: ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
    404: ("Request_ResourceNotFound", "The resource does not exist."),
    405: ("Request_BadRequest", "Specified HTTP method is not allowed for the request target."),
    429: ("TooManyRequests", "Too many requests."),
    500: ("InternalServerError", "An internal error occurred."),
    503: ("ServiceNotAvailable", "The service is temporarily unavailable. Please try again later."),
}


def graph_answer(status: int, document: Mapping[str, object], extra: Mapping[str, str] | None = None) -> Answer:
    """An answer with the fields that Graph sends with each."""
    request_id = str(uuid.uuid4())
    fields = {
        "content-type": CONTENT_TYPE,
        "odata-version": "4.0",
        "request-id": request_id,
        "client-request-id": request_id,
        "x-ms-ags-diagnostic": '{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","RoleInstance":"STANDIN"}}',
        **(extra or {}),
    }
    return Answer(status, fields, json.dumps(document).encode())


def graph_error(status: int, message: str | None = None, *, code: str | None = None, retry_after: int | None = None) -> Answer:
    """An error; by default with the code and words that Graph has for this status."""
    usual_code, usual_message = CODES.get(status, ("UnknownError", ""))
    inner = {"date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "request-id": str(uuid.uuid4())}
    told = {"code": code or usual_code, "message": message or usual_message}
    told_too = {**inner, "client-request-id": inner["request-id"]}
    extra = {} if retry_after is None else {"retry-after": str(retry_after)}
    return graph_answer(status, {"error": {**told, "innerError": told_too}}, extra)


def not_found(name: str) -> Answer:
    """The 404 of an object that does not exist."""
    return graph_error(404, f"Resource '{name}' does not exist or one of its queried reference-property objects are not present.")
