"""nginx as upstream, as a bare proxy, and as deploy/ has it, asking for verdicts. One worker, no TLS, no log."""

from __future__ import annotations

import getpass
import os
import re
import shutil
from pathlib import Path
from typing import Literal

INSTALL = "nginx is not installed; on Debian: apt-get install nginx-light"
ECHO, OK = "/api/2.0/echo", "/api/2.0/ok"
"""Paths of the upstream: it says which Authorization arrived, and it says "ok"."""
SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx.conf"
Verdicts = Literal["none", "asked", "kept"]


def is_installed() -> bool:
    return program() is not None


def program() -> str | None:
    """Debian has it where only root looks by default."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def upstream() -> str:
    """Answers by itself, as fast as anything does."""
    return _main(f"""
        server {{
            listen 127.0.0.1:@port@ backlog=1024;
            default_type text/plain;
            location = {ECHO} {{ return 200 "$http_authorization"; }}
            location / {{ return 200 "ok"; }}
        }}""")


def alone(upstream_url: str) -> str:
    """The least that is a proxy with kept connections: what the others are measured against."""
    return _main(f"""
        upstream workspace {{ server {_address(upstream_url)}; keepalive 64; }}
        server {{
            listen 127.0.0.1:@port@ backlog=1024;
            location / {{
                proxy_pass http://workspace;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
            }}
        }}""")


def shipped(upstream_url: str, verdict_url: str, verdicts: Verdicts) -> str:
    """deploy/nginx.conf; without TLS on either side and without its log, which `alone` has not either.

    "kept" is as it is shipped; "asked" keeps no verdict; "none" asks for none, to tell what the rest of the file costs. Raises
    RuntimeError if the file has not what is replaced here.
    """
    text = SHIPPED.read_text(encoding="utf-8")
    for pattern, new in {**_PLAIN, **_WITH[verdicts]}.items():
        text, found = re.subn(pattern, new, text, flags=re.MULTILINE)
        if not found:
            raise RuntimeError(f"{SHIPPED.name} has no {pattern}; benchmarks/gateway/nginx.py must follow it")
    values = {"WORKSPACE_HOST": _address(upstream_url), "WORKSPACE_ADDRESS": _address(upstream_url), "USER": getpass.getuser()}
    values |= {"TOKENWARD_A": _address(verdict_url), "RUNTIME": "@folder@", "LOGS": "@folder@"}
    for name, value in values.items():
        text = text.replace(f"__{name}__", value)
    return f"daemon off;\n{text}"


_PLAIN = {
    r"^ *server +__TOKENWARD_B__.*;$": "",
    r"^ *(proxy_)?ssl_.*;$": "",
    r"^( *)listen .*;$": r"\1listen 127.0.0.1:@port@ backlog=1024;",
    r"^(worker_processes) .*;$": r"\1 1;",
    r"^(\s*access_log) .*;$": r"\1 off;",
    r"https://\$destination": "http://$destination",
}
_WITH: dict[Verdicts, dict[str, str]] = {
    "kept": {},
    "asked": {r"^( *proxy_cache) +verdicts;$": r"\1 off;"},
    "none": {
        r"^( *auth_request) +/-/verdict;$": r"\1 off;",
        r"\$destination;": "workspace;",
        r"(Authorization +)\$verdict_authorization;": r"\1$http_authorization;",
    },
}


def _address(url: str) -> str:
    return url.removeprefix("http://")


def _main(http: str) -> str:
    temporary = "\n        ".join(f"{kind}_temp_path @folder@/{kind};" for kind in _KINDS)
    return f"""
    user {getpass.getuser()};
    daemon off;
    worker_processes 1;
    pid @folder@/pid;
    error_log @folder@/error.log error;
    events {{ worker_connections 1024; }}
    http {{
        access_log off;
        keepalive_requests 100000000;
        large_client_header_buffers 4 32k;
        {temporary}
        {http}
    }}
    """


_KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
