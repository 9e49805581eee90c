"""[redis]: where processes share exchanged tokens, and the key that encrypts them there."""

from __future__ import annotations

from urllib.parse import urlsplit

from tokenward.cli.extras import require
from tokenward.cli.serve.secret import need_secret, secret_of
from tokenward.cli.serve.settings import Section
from tokenward.databricks.shared.redis_store import RedisTokens
from tokenward.databricks.shared.sealing import SealingKeys

_KEY = "the key that encrypts the tokens (32 random bytes in base64, as from `openssl rand -base64 32`)"


def shared_from(section: Section) -> RedisTokens | None:
    """The store that [redis] describes, if it describes one; nothing is asked of it yet. Raises CommandFailed."""
    if not section.held:
        return None
    require("redis")
    url = _url(section)
    key = need_secret(section, "key", _KEY)
    with section.judging(key="key_env"):
        return RedisTokens(url, SealingKeys.from_text(key), **section.given("prefix", "timeout"))


def _url(section: Section) -> str:
    url: str | None = section.get("url")
    if url is None:
        secret = secret_of(section, "url", "the address of a Redis server")
        return (
            secret
            if secret is not None
            else section.need("url", "the address of a Redis server, such as redis://127.0.0.1:6379/0")
        )
    if _has_password(url):
        fix = "Set url_env to the name of an environment variable that holds the whole address, and change the password."
        raise section.failed("url", "a password has no place in a configuration file", fix)
    return url


def _has_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "@" in url
    return parts.password is not None or "password=" in parts.query
