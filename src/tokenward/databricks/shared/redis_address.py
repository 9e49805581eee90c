"""The address of a Redis, as it is written in configuration. A url may hold a user and a password, and is quoted nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from tokenward import validation
from tokenward.errors import PolicyError

PORT = 6379
MAX_DB = 999_999
_EXAMPLE = "'rediss://user:password@redis.example:6380/0'"
_FIX = f"Write it like {_EXAMPLE}, 'redis://localhost:6379' or 'unix:///run/redis/redis.sock?db=0'."
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""Options that name files. None is taken that weakens TLS, such as ssl_cert_reqs=none, or that sets what is decided here."""

Options: TypeAlias = dict[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is. `where` is for logs; `options` are those of redis-py's connections, and no repr shows them."""

    scheme: str
    where: str
    options: Options

    def __repr__(self) -> str:
        return f"<RedisAddress {self.where}>"


def redis_address(field: str, value: object) -> RedisAddress:
    """An address from a url: redis:// in plain text, rediss:// with TLS, unix:// for a socket.

    The certificate and the host name are always verified. Entries are sealed whatever the scheme; a password sent in plain text
    is not. Raises PolicyError.
    """
    text = validation.text(field, value, _EXAMPLE)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        username, password = _unquoted(parts.username), _unquoted(parts.password)
        asked = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)) if parts.query else {}
    except ValueError:  # whose text may quote the url
        raise PolicyError(field, "it is no url", _FIX) from None
    if parts.scheme not in ("redis", "rediss", "unix") or parts.fragment:
        raise PolicyError(field, "it is none of redis://, rediss:// and unix://, or has a fragment", _FIX)
    options: Options = {"db": _database(field, asked.pop("db", parts.path.strip("/") if parts.scheme != "unix" else ""))}
    options |= {name: word for name, word in (("username", username), ("password", password)) if word}
    if parts.scheme == "unix":
        return RedisAddress("unix", f"unix://{parts.path}", options | _socket(field, parts.path, host, asked))
    if not host:
        raise PolicyError(field, "it names no host", _FIX)
    place: Options = {"host": host, "port": PORT if port is None else port}
    where = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{place['port']}/{options['db']}"
    return RedisAddress(parts.scheme, where, options | place | _tls(field, parts.scheme, asked))


def _unquoted(text: str | None) -> str | None:
    return None if text is None else unquote(text, errors="strict")


def _database(field: str, text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_DB))):
        raise PolicyError(field, "what names its database is no number", _FIX)
    return int(text)


def _socket(field: str, path: str, host: str | None, asked: dict[str, str]) -> Options:
    if host or not path.startswith("/") or asked:
        raise PolicyError(field, "a unix url has three slashes, the socket's path, and db as its only option", _FIX)
    return {"path": unquote(path)}


def _tls(field: str, scheme: str, asked: dict[str, str]) -> Options:
    if not asked.keys() <= (set(_FILES) if scheme == "rediss" else set()):
        raise PolicyError(field, "it has an option that is not taken here", f"Beside db, rediss:// takes {', '.join(_FILES)}.")
    for name, path in asked.items():
        if not Path(path).is_file():
            raise PolicyError(field, f"its {name} names no file", "Give the path of a PEM file that this process may read.")
    if scheme != "rediss":
        return {}
    return {**asked, "ssl_cert_reqs": "required", "ssl_check_hostname": True}  # the default of redis-py before 6 was no check
