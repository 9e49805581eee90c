"""The identity provider of the measurements: in-process for tokenward, over loopback HTTP for the peers that must fetch."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.tokens import TENANT, V1_ISSUER, V2_ISSUER, ec_signers, jwks_of, rsa_signers
from tokenward.keys.port import FetchRequest, FetchResponse

ENTRA = "https://login.microsoftonline.com"
HANGS = 20.0
"""Seconds that a closed gate holds an answer at most, so that no thread outlives a run for long."""


class InProcess:
    """tokenward's port to the network, answered in the process: discovery and keys at Entra's own addresses.

    The answers are made here and not at the first fetch, which several threads may make at once.
    """

    def __init__(self) -> None:
        v1_keys, v2_keys = f"{ENTRA}/common/discovery/keys", f"{ENTRA}/{TENANT}/discovery/v2.0/keys"
        documents = {
            f"{ENTRA}/{TENANT}/.well-known/openid-configuration": _metadata(V1_ISSUER, v1_keys),
            f"{ENTRA}/{TENANT}/v2.0/.well-known/openid-configuration": _metadata(V2_ISSUER, v2_keys),
            v1_keys: jwks_of(rsa_signers()),
            v2_keys: jwks_of(rsa_signers()),
        }
        self._bodies = {url: json.dumps(document).encode() for url, document in documents.items()}

    def fetch(self, request: FetchRequest) -> FetchResponse:
        return FetchResponse(200, {"content-type": "application/json"}, self._bodies[request.url])

    async def fetch_async(self, request: FetchRequest) -> FetchResponse:
        return self.fetch(request)


class Provider:
    """A loopback server: the same discovery document, and a set for each algorithm. `gate` closed means that it hangs."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        documents = {
            "/RS256/keys": jwks_of(rsa_signers()),
            "/ES256/keys": jwks_of(ec_signers()),
            "/.well-known/openid-configuration": _metadata(V2_ISSUER, f"{self.url}/RS256/keys"),
        }
        self._bodies = {path: json.dumps(document).encode() for path, document in documents.items()}
        threading.Thread(target=self._server.serve_forever, name="provider", daemon=True).start()

    def body(self, path: str) -> bytes | None:
        self.asked.set()
        self.gate.wait(HANGS)
        return self._bodies.get(path)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        self.asked.clear()
        self.gate.clear()
        try:
            yield
        finally:
            self.gate.set()

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()


def _metadata(issuer: str, jwks_uri: str) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "authorization_endpoint": f"{ENTRA}/{TENANT}/oauth2/v2.0/authorize",
        "token_endpoint": f"{ENTRA}/{TENANT}/oauth2/v2.0/token",
        "cloud_instance_name": "microsoftonline.com",
    }


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = provider.body(self.path)
            body = found or b"{}"
            with contextlib.suppress(OSError):  # the caller may have given up
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Nothing: the server's requests are not the subject."""

    return Handler
