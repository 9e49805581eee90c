"""Which path is answered by what; those of APIs only to callers whom the gate lets in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from re import Match
from typing import TypeAlias

from tokenward.testing.faults import JSON
from tokenward.testing.workspace.estate import Estate
from tokenward.testing.workspace.messages import Object, Reply, Request, json_reply
from tokenward.testing.workspace.people import Principal
from tokenward.testing.workspace.shapes import api_error
from tokenward.testing.workspace.volumes import PREFIX

Open: TypeAlias = Callable[[Estate, Request, Match[str]], Reply]
Guarded: TypeAlias = Callable[[Estate, Request, Match[str], Principal], Reply]


def routed(estate: Estate, request: Request) -> Reply:
    """The reply of whatever answers this path; 404 if nothing does. Raises Refused."""
    for methods, pattern, handler in _OPEN:
        if found := pattern.fullmatch(request.path):
            return handler(estate, request, found) if request.method in methods.split() else _not_allowed(methods)
    if request.path.startswith(f"{_idp_path(estate)}/"):
        return _of_idp(estate, request)
    caller = estate.gate.caller(request)
    for methods, pattern, guarded in _GUARDED:
        found = pattern.fullmatch(request.path)
        if found and request.method in methods.split():
            return guarded(estate, request, found, caller)
    return api_error(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.path}'")


def _idp_path(estate: Estate) -> str:
    return estate.idp.issuer.removeprefix(estate.idp.home).rstrip("/")


def _of_idp(estate: Estate, request: Request) -> Reply:
    """The identity provider's documents are here, too, so that a client can be shown where its keys are."""
    document = estate.idp.document(request.path) if request.method == "GET" else None
    found = document is not None
    return Reply(200 if found else 404, JSON, json.dumps(document if found else {"error": "not_found"}).encode())


def _not_allowed(methods: str) -> Reply:
    return api_error(405, "METHOD_NOT_ALLOWED", "The method is not allowed here.").having({"allow": methods.replace(" ", ", ")})


def _me(request: Request, caller: Principal) -> Reply:
    """SCIM Me, less what was not asked for (RFC 7644 section 3.4.2.5)."""
    shown = caller.scim()
    wanted, unwanted = (_names(request.query.get(name, "")) for name in ("attributes", "excludedAttributes"))
    kept: Object = {
        name: value
        for name, value in shown.items()
        if name not in unwanted and (not wanted or name in {*wanted, "schemas", "id"})
    }
    return json_reply(200, kept)


def _names(listed: str) -> set[str]:
    return {name.strip() for name in listed.split(",") if name.strip()}


def _open(methods: str, pattern: str, handler: Open) -> tuple[str, re.Pattern[str], Open]:
    return methods, re.compile(pattern), handler


def _guarded(methods: str, pattern: str, handler: Guarded) -> tuple[str, re.Pattern[str], Guarded]:
    return methods, re.compile(pattern), handler


_ACCOUNT = r"/oidc/accounts/(?P<account>[0-9a-f-]{36})"
_STATEMENTS = r"/api/2\.0/sql/statements"
_METADATA = r"/\.well-known/oauth-authorization-server"


def _is_own(estate: Estate, found: Match[str], reply: Callable[[], Reply]) -> Reply:
    return reply() if found["account"] == estate.account_id else api_error(404, "NOT_FOUND", "There is no such account.")


_OPEN = [
    _open("POST", r"/oidc/v1/token", lambda on, request, _: on.tokens.exchange(request)),
    _open(
        "POST",
        _ACCOUNT + r"/v1/token",
        lambda on, request, found: _is_own(on, found, lambda: on.tokens.exchange(request, account=True)),
    ),
    _open("GET", r"/oidc" + _METADATA, lambda on, _request, _found: on.discovery().metadata()),
    _open("GET", _ACCOUNT + _METADATA, lambda on, _, found: _is_own(on, found, lambda: on.discovery().metadata(account=True))),
    _open("GET", r"/oidc/jwks\.json", lambda on, _request, _found: json_reply(200, on.mint.jwks())),
    _open("GET", r"/\.well-known/databricks-config", lambda on, _request, _found: on.discovery().config()),
    _open("GET", r"/aad/auth", lambda on, _request, _found: on.discovery().sign_in()),
]
_GUARDED = [
    _guarded("GET", r"/api/2\.0/preview/scim/v2/Me", lambda _on, request, _found, caller: _me(request, caller)),
    _guarded("POST", rf"{_STATEMENTS}/?", lambda on, request, _, caller: on.statements.execute(request, caller)),
    _guarded("GET", rf"{_STATEMENTS}/([^/]+)", lambda on, _, found, caller: on.statements.get(found[1], caller)),
    _guarded("POST", rf"{_STATEMENTS}/([^/]+)/cancel", lambda on, _, found, caller: on.statements.cancel(found[1], caller)),
    _guarded(
        "GET",
        rf"{_STATEMENTS}/([^/]+)/result/chunks/(\d+)",
        lambda on, _, found, who: on.statements.chunk(found[1], found[2], who),
    ),
    _guarded(
        "POST",
        r"/serving-endpoints/([^/]+)/invocations",
        lambda on, request, found, _caller: on.serving.invoke(request, found[1]),
    ),
    _guarded("PUT GET HEAD DELETE", PREFIX + r"/.+", lambda on, request, _found, _caller: on.volumes.handle(request, on.clock())),
    _guarded("POST", r"/api/2\.[0-2]/jobs/run-now", lambda on, request, _, caller: on.jobs.run_now(request, caller)),
    _guarded("GET", r"/api/2\.[0-2]/jobs/get", lambda on, request, _found, _caller: on.jobs.get(request)),
    _guarded("GET", r"/api/2\.[0-2]/jobs/runs/get", lambda on, request, _found, _caller: on.jobs.get_run(request)),
]
