"""Where Redis may be, and that a url with a password is shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tokenward.databricks.shared.redis_address import redis_address
from tokenward.databricks.shared.redis_store import RedisTokens
from tokenward.errors import PolicyError

KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("url", "where", "options"),
    [
        ("redis://localhost", "redis://localhost:6379/0", {"host": "localhost", "port": 6379, "db": 0}),
        ("redis://localhost:7000/3", "redis://localhost:7000/3", {"port": 7000, "db": 3}),
        ("redis://localhost?db=4", "redis://localhost:6379/4", {"db": 4}),
        ("redis://[::1]:7000", "redis://[::1]:7000/0", {"host": "::1"}),
        ("redis://:s3cret@h", "redis://h:6379/0", {"password": "s3cret"}),
        ("rediss://ada:s3%40cret@h:6380/0", "rediss://h:6380/0", {"username": "ada", "password": "s3@cret"}),
        ("unix:///run/redis/redis.sock?db=2", "unix:///run/redis/redis.sock", {"path": "/run/redis/redis.sock", "db": 2}),
        ("unix://ada:s3cret@/run/redis.sock", "unix:///run/redis.sock", {"username": "ada", "password": "s3cret"}),
    ],
)
def test_addresses(url: str, where: str, options: dict[str, object]) -> None:
    address = redis_address("url", url)
    assert address.where == where
    assert options.items() <= address.options.items()
    assert repr(address) == f"<RedisAddress {where}>"


def test_tls_always_verifies_the_certificate_and_the_host() -> None:
    options = redis_address("url", "rediss://h").options
    assert (options["ssl_cert_reqs"], options["ssl_check_hostname"]) == ("required", True)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param(6379, id="a number"),
        pytest.param("localhost:6379", id="no scheme"),
        pytest.param("https://ada:s3cret@h", id="another scheme"),
        pytest.param("redis://ada:s3cret@", id="no host"),
        pytest.param("redis://ada:s3cret@h:port", id="no port"),
        pytest.param("redis://ada:s3cret@h:99999", id="no port of TCP"),
        pytest.param("redis://ada:s3cret@h/first", id="no number of a database"),
        pytest.param("redis://ada:s3cret@h/0#x", id="a fragment"),
        pytest.param("redis://ada:s3%ffcret@h", id="no UTF-8 in a password"),
        pytest.param("redis://ada:s3cret@h?socket_timeout=60", id="what is decided here"),
        pytest.param("rediss://ada:s3cret@h?ssl_cert_reqs=none", id="no verification of certificates"),
        pytest.param("rediss://ada:s3cret@h?ssl_check_hostname=false", id="no verification of names"),
        pytest.param("redis://ada:s3cret@h?ssl_ca_certs=/etc/passwd", id="TLS where there is none"),
        pytest.param("rediss://ada:s3cret@h?ssl_ca_certs=/nowhere/s3cret.pem", id="no such file"),
        pytest.param("rediss://ada:s3cret@h?ssl_ca_certs", id="an option without a value"),
        pytest.param("unix://run/redis.sock", id="two slashes"),
        pytest.param("unix:///run/redis.sock?password=s3cret", id="a password in the query"),
        pytest.param("redis://[::1", id="half a bracket"),
    ],
)
def test_what_is_no_address_is_refused_and_not_quoted(url: object) -> None:
    with pytest.raises(PolicyError) as refusal:
        RedisTokens(url, KEY)  # type: ignore[arg-type]
    assert refusal.value.field == "url"
    assert "s3cret" not in str(refusal.value)
    assert "s3cret" not in repr(refusal.value.__cause__)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"prefix": ""}, "prefix"),
        ({"prefix": "a b"}, "prefix"),
        ({"prefix": "every*"}, "prefix"),
        ({"prefix": "p" * 65}, "prefix"),
        ({"prefix": "pr\u00e9fixe:"}, "prefix"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 11}, "timeout"),
        ({"timeout": "1"}, "timeout"),
        ({"observer": "log"}, "observer"),
        ({"monotonic": 5}, "monotonic"),
    ],
    ids=str,
)
def test_impossible_arguments_are_refused(options: dict[str, object], field: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        RedisTokens("redis://h", KEY, **options)  # type: ignore[arg-type]
    assert refusal.value.field == field


def test_no_repr_shows_the_url_or_the_key() -> None:
    shared = RedisTokens("rediss://ada:s3cret@h:6380", KEY)
    store = shared._store
    shown = f"{shared!r} {shared} {store!r} {store.where}"
    assert "s3cret" not in shown
    assert "ada" not in shown
    assert KEY.hex() not in shown
    assert repr(shared) == "<RedisTokens rediss://h:6380/0>"


def test_without_redis_py_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(PolicyError, match=r"pip install 'redis>=5'") as refusal:
        RedisTokens("redis://h", KEY)
    assert refusal.value.field == "shared"


def test_the_file_of_a_certificate_authority_is_taken(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("a certificate")
    assert redis_address("url", f"rediss://h?ssl_ca_certs={tmp_path}/ca.pem").options["ssl_ca_certs"] == f"{tmp_path}/ca.pem"
