"""The files for Envoy, Traefik and Caddy, read: what each of them must say, whether or not its program is on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tokenward.databricks.admission.field_names import IDENTITY_FIELDS, NOT_RETURNED

DEPLOY = Path(__file__).parents[3] / "deploy"
HOST = "adb-1234567890123456.7.azuredatabricks.net"
SERVING_LIMIT = 297
"""Seconds that a serving endpoint may take: docs.databricks.com, model-serving-limits."""
REPLACED = {b"authorization", b"host", b"expect"}
"""Fields that the proxies replace, or need themselves."""


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text("utf-8"))


def found(document: Any, wanted: str) -> Iterator[Any]:
    """Every value under this key, at any depth."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == wanted:
                yield value
            yield from found(value, wanted)
    elif isinstance(document, list):
        for item in document:
            yield from found(item, wanted)


def one(document: Any, wanted: str) -> Any:
    [value] = found(document, wanted)
    return value


@pytest.fixture(scope="module")
def traefik() -> Any:
    return read("traefik-dynamic.yaml")["http"]


@pytest.fixture(scope="module")
def envoy() -> Any:
    return read("envoy.yaml")["static_resources"]


@pytest.fixture(scope="module")
def caddy() -> str:
    return (DEPLOY / "Caddyfile").read_text("utf-8")


@pytest.mark.parametrize("name", ["envoy.yaml", "traefik.yaml", "traefik-dynamic.yaml"])
def test_a_file_is_yaml_without_repeated_keys(name: str) -> None:
    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key) for key, _ in node.value]
            assert len(keys) == len(set(keys)), sorted(key for key in keys if keys.count(key) > 1)
            return super().construct_mapping(node, deep)

    assert yaml.load((DEPLOY / name).read_text("utf-8"), Strict)


# -- Traefik, which is not run by any test -----------------------------------------------------------------------------

KNOWN = {
    "routers": {"entryPoints", "rule", "middlewares", "service", "tls"},
    "headers": {"customRequestHeaders", "customResponseHeaders"},
    "forwardAuth": {"address", "trustForwardHeader", "authRequestHeaders", "authResponseHeaders"},
    "loadBalancer": {"servers", "passHostHeader", "serversTransport"},
    "serversTransports": {"serverName", "forwardingTimeouts"},
    "forwardingTimeouts": {"dialTimeout", "responseHeaderTimeout", "idleConnTimeout"},
}
"""Options that Traefik has (its reference of the file provider, v3.6); a misspelled one would stop it at the start."""


def test_traefiks_options_are_known_ones(traefik: Any) -> None:
    assert set(traefik) == {"routers", "middlewares", "services", "serversTransports"}
    for name in ("routers", "serversTransports"):
        assert all(set(options) <= KNOWN[name] for options in traefik[name].values())
    for name in ("headers", "forwardAuth", "loadBalancer", "forwardingTimeouts"):
        assert all(set(options) <= KNOWN[name] for options in found(traefik, name))


def test_traefik_asks_after_it_took_identity_away_and_before_it_forwards(traefik: Any) -> None:
    [router] = traefik["routers"].values()
    assert router["middlewares"] == ["take-identity-away", "verdict", "take-marks-away"]
    assert set(router["middlewares"]) == set(traefik["middlewares"])
    assert "!HeaderRegexp(`Upgrade`" in router["rule"]
    assert one(traefik, "forwardAuth") == {
        "address": "http://127.0.0.1:9090/verdict",
        "trustForwardHeader": False,
        "authRequestHeaders": ["Authorization"],
        "authResponseHeaders": ["Authorization"],
    }


def test_traefik_removes_every_field_that_the_gateway_removes_by_name(traefik: Any) -> None:
    removed = traefik["middlewares"]["take-identity-away"]["headers"]["customRequestHeaders"]
    assert set(removed.values()) == {""}
    assert {name.decode() for name in IDENTITY_FIELDS - REPLACED} - {name.lower() for name in removed} == set()
    lost = traefik["middlewares"]["take-marks-away"]["headers"]["customResponseHeaders"]
    assert set(lost.values()) == {""}
    assert {name.decode() for name in NOT_RETURNED} - {name.lower() for name in lost} == set()


def test_traefik_has_one_upstream_and_its_name(traefik: Any) -> None:
    balancer = one(traefik, "loadBalancer")
    assert (balancer["servers"], balancer["passHostHeader"]) == ([{"url": f"https://{HOST}"}], False)
    transport = traefik["serversTransports"][balancer["serversTransport"]]
    assert transport["serverName"] == HOST
    assert seconds(transport["forwardingTimeouts"]["responseHeaderTimeout"]) > SERVING_LIMIT


def test_traefik_ends_no_stream_by_itself() -> None:
    [point] = read("traefik.yaml")["entryPoints"].values()
    limits = point["transport"]["respondingTimeouts"]
    assert (limits["readTimeout"], limits["writeTimeout"]) == ("0s", "0s")
    assert "forwardedHeaders" not in point


# -- Envoy and Caddy, which are run by others --------------------------------------------------------------------------


def test_envoy_fails_closed_and_waits_for_a_first_exchange(envoy: Any) -> None:
    verdict = one(envoy, "http_service")
    assert one(envoy, "failure_mode_allow") is False
    assert one(envoy, "status_on_error") == {"code": "ServiceUnavailable"}
    assert seconds(verdict["server_uri"]["timeout"]) > 10


def test_envoy_waits_longer_than_a_serving_endpoint_may_take(envoy: Any) -> None:
    assert seconds(one(envoy, "stream_idle_timeout")) > SERVING_LIMIT
    routes = one(envoy, "routes")
    assert [route["route"]["timeout"] for route in routes] == ["0s", "0s"]
    assert all(seconds(route["route"]["idle_timeout"]) > SERVING_LIMIT for route in routes)
    assert {route["route"]["host_rewrite_literal"] for route in routes} == {HOST}


def test_envoy_believes_only_the_workspaces_own_certificate(envoy: Any) -> None:
    [tls] = [cluster["transport_socket"]["typed_config"] for cluster in envoy["clusters"] if "transport_socket" in cluster]
    assert tls["sni"] == HOST
    context = tls["common_tls_context"]["validation_context"]
    assert context["trusted_ca"]
    assert context["match_typed_subject_alt_names"] == [{"san_type": "DNS", "matcher": {"exact": HOST}}]


def test_caddy_waits_longer_than_a_serving_endpoint_may_take(caddy: str) -> None:
    limits = [seconds(limit) for limit in re.findall(r"response_header_timeout (\S+)", caddy)]
    assert len(limits) == 2
    assert limits[0] > 10  # of the verdict
    assert limits[1] > SERVING_LIMIT
    assert re.search(r"(read_timeout|write_timeout|read_body) \d", caddy) is None


@pytest.mark.parametrize("name", ["envoy.yaml", "traefik.yaml", "traefik-dynamic.yaml", "Caddyfile"])
def test_a_file_says_what_it_follows(name: str) -> None:
    assert re.search(r"^# Follows (Envoy|Traefik|Caddy) [0-9.]+", (DEPLOY / name).read_text("utf-8"), re.MULTILINE)


def seconds(value: str) -> float:
    assert value.endswith("s")
    return float(value[:-1])
