"""A discovery document: whose it is, and where it may send us for keys."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenward.keys.metadata import Metadata, read_metadata

ISSUER = "https://idp.example/tenant/v2.0"
GOOD = {"issuer": ISSUER, "jwks_uri": "https://keys.example/jwks"}


def read(change: dict[str, object], *, loopback: bool = False) -> Metadata:
    return read_metadata(GOOD | change, issuers={ISSUER}, loopback=loopback)


def test_the_keys_may_be_at_another_host() -> None:
    assert read({}) == Metadata(ISSUER, "https://keys.example/jwks", None)


def test_the_cloud_is_read_where_it_is_given() -> None:
    assert read({"cloud_instance_name": "microsoftonline.com"}).cloud_instance_name == "microsoftonline.com"
    assert read({"cloud_instance_name": 5}).cloud_instance_name is None


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param("https://evil.example/", id="another issuer"),
        pytest.param(ISSUER + "/", id="a slash more"),
        pytest.param(ISSUER.upper(), id="in capitals"),
        pytest.param("https://idp.example/{tenantid}/v2.0", id="a template that was not asked for"),
        pytest.param(None, id="missing"),
        pytest.param([ISSUER], id="a list"),
        pytest.param({}, id="an object"),
    ],
)
def test_the_document_must_be_of_the_issuer_that_the_policy_names(issuer: object) -> None:
    with pytest.raises(ValueError, match=r"^the issuer is not the one the policy names, but "):
        read({"issuer": issuer})


@pytest.mark.parametrize(
    "jwks_uri", [pytest.param(None, id="missing"), pytest.param(5, id="a number"), pytest.param([], id="a list")]
)
def test_a_document_without_jwks_uri_is_refused(jwks_uri: object) -> None:
    with pytest.raises(ValueError, match=r"^jwks_uri is missing$"):
        read({"jwks_uri": jwks_uri})


@pytest.mark.parametrize(
    ("jwks_uri", "why"),
    [
        pytest.param("http://keys.example/jwks", "not https", id="plain http"),
        pytest.param("http://localhost/jwks", "an address of this machine", id="http to this machine"),
        pytest.param("https://127.0.0.1/jwks", "an address of this machine", id="https to this machine"),
        pytest.param("file:///etc/passwd", "not a plain URL", id="a file"),
        pytest.param("", "not a plain URL", id="empty"),
    ],
)
def test_a_distant_document_may_send_us_neither_to_plain_http_nor_to_this_machine(jwks_uri: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read({"jwks_uri": jwks_uri})


def test_a_document_of_this_machine_may_name_this_machine() -> None:
    assert read({"jwks_uri": "http://127.0.0.1:8000/jwks"}, loopback=True).jwks_uri == "http://127.0.0.1:8000/jwks"


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(max_size=3), max_size=2)
URLS = st.builds("{}://{}{}".format, st.sampled_from(["http", "https", "ftp", ""]), st.text(max_size=12), st.text(max_size=8))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.fixed_dictionaries(
        {}, optional={"issuer": st.just(ISSUER) | VALUES, "jwks_uri": URLS | VALUES, "cloud_instance_name": VALUES}
    ),
    st.booleans(),
)
def test_whatever_the_document_it_is_metadata_or_a_value_error(document: dict[str, object], loopback: bool) -> None:
    try:
        metadata = read_metadata(document, issuers={ISSUER}, loopback=loopback)
    except ValueError:
        return
    assert metadata.jwks_uri.lower().startswith(("https://", "http://"))
