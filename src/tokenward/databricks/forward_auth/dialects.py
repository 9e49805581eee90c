"""How each proxy asks for a verdict, as data: where it says what the caller wanted, and which answers it can hand on.

The dialect is configured and never guessed: a field that one proxy sets is, behind another one, whatever the caller wrote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tokenward.databricks.admission.refusals import RequestMalformed
from tokenward.errors import PolicyError

NOT_OURS = (
    "Nobody but the proxy should ask here: compare its configuration with the file for it in deploy/, and [forward_auth] prefix "
    "with the address that it asks. If those are right, somebody else reaches this address, and must not."
)
NOT_SAID = (
    "The proxy's configuration is wrong, or [forward_auth] source names another proxy: it must set this field itself, once, in "
    "place of any that the caller sent. Compare it with the file for it in deploy/."
)

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")  # a token of RFC 9110 section 5.6.2; no registered method has more


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of proxy.

    method_field,  the fields that hold the caller's method and request target; None: the method and target of the verdict's own
      target_field   request are the caller's, with a prefix before the path
    relays         statuses of a refusal that the proxy hands on; None: all of them
    """

    name: str
    method_field: bytes | None
    target_field: bytes | None
    relays: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wants: its method, and its target as it was sent, not judged yet."""

    method: str
    path: bytes
    query: bytes


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        # nginx.org, ngx_http_auth_request_module: a subrequest's 401 or 403 is the answer to the caller, and any other status but
        # a 2xx is an error; 503 is that error, and the configuration names it.
        Dialect("nginx", b"x-original-method", b"x-original-uri", frozenset({401, 403, 503})),
        # envoyproxy.io, ext_authz.proto (v3), HttpService.path_prefix; a 5xx is an error to Envoy, and gets its status_on_error.
        Dialect("envoy", None, None, None),
        # doc.traefik.io, ForwardAuth, "Forward-Request Headers": anything but a 2xx is the answer to the caller.
        Dialect("traefik", b"x-forwarded-method", b"x-forwarded-uri", None),
        # caddyserver.com, Caddyfile directive forward_auth, "Expanded form": the same two fields, and the same rule.
        Dialect("caddy", b"x-forwarded-method", b"x-forwarded-uri", None),
    )
}


def dialect_of(source: object) -> Dialect:
    """The dialect of that name. Raises PolicyError."""
    found = DIALECTS.get(source) if isinstance(source, str) else None
    if found is None:
        raise PolicyError("source", f"it is not one of {', '.join(sorted(DIALECTS))}", "Name the proxy that asks for verdicts.")
    return found


def asked(
    dialect: Dialect, method: str, path: bytes, query: bytes, fields: Sequence[tuple[bytes, bytes]], prefix: bytes
) -> Asked:
    """What the caller wants, by a verdict's own request; its path is as it was sent, below where the app is mounted.

    Raises RequestMalformed: for another address than the prefix, and for a field that is missing, repeated or no method.
    """
    if dialect.method_field is None or dialect.target_field is None:
        if not path.startswith(prefix):
            raise _elsewhere(path, prefix)
        return Asked(_method(method.encode("latin-1", "replace")), path[len(prefix) :], query)
    if path != prefix:
        raise _elsewhere(path, prefix)
    target, _, wanted = _only(fields, dialect.target_field).partition(b"?")
    return Asked(_method(_only(fields, dialect.method_field)), target, wanted)


def status_for(dialect: Dialect, status: int) -> int:
    """The status of a refusal as this proxy can hand it on: else 503 where somebody may try again, and 403."""
    if dialect.relays is None or status in dialect.relays:
        return status
    return 503 if status == 429 or status >= 500 else 403


def _only(fields: Sequence[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    values = [value for name, value in fields if name.lower() == wanted]
    if len(values) != 1:
        reason = "the proxy's field is repeated" if values else "the proxy did not say what the caller wants"
        raise RequestMalformed(reason, expected=wanted.decode("ascii"), hint=NOT_SAID)
    return values[0]


def _elsewhere(path: bytes, prefix: bytes) -> RequestMalformed:
    return RequestMalformed("no address for verdicts", expected=prefix.decode("ascii"), seen=path[:64], hint=NOT_OURS)


def _method(value: bytes) -> str:
    if not _METHOD.fullmatch(value):
        raise RequestMalformed("the caller's method is no method", seen=value[:32])
    return value.decode("ascii")
