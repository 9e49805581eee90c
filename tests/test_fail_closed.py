"""What a slip in the configuration must not do: open a door without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tokenward import AsyncVerifier, Identity, PolicyError, TokenRejected, Verifier, entra, errors
from tokenward.keys.fetch import _default_tls
from tokenward.middleware.door import Door
from tokenward.testing import LocalIssuer


def _policy(issuer: LocalIssuer, **options: Any) -> Any:
    return entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud, **options)


async def _asynchronous(_: object) -> bool:
    return False


def _generator(_: object) -> Iterator[None]:
    raise errors.ClientNotAllowed
    yield


class _CallableAsynchronously:
    async def __call__(self, _: object) -> bool:
        return False


@pytest.mark.parametrize("predicate", [_asynchronous, _CallableAsynchronously()], ids=["a function", "an object"])
def test_an_asynchronous_exemption_is_refused_at_construction(predicate: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        Door(exempt=[predicate])
    assert caught.value.field == "exempt"


def test_an_exemption_that_does_not_return_true_opens_nothing() -> None:
    assert not Door(exempt=[lambda _: "no"]).is_open("/admin", {})  # type: ignore[list-item, return-value]


@pytest.mark.parametrize("check", [_asynchronous, _CallableAsynchronously(), _generator], ids=["async", "object", "generator"])
def test_a_check_that_would_only_seem_to_run_is_refused_at_construction(issuer: LocalIssuer, check: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        _policy(issuer, checks=[check])
    assert caught.value.field == "checks"


def test_a_check_that_returns_something_refuses(issuer: LocalIssuer) -> None:
    verifier = Verifier(_policy(issuer, checks=[lambda _: False]), fetch=issuer.fetch)
    with pytest.raises(TokenRejected) as caught:
        verifier.verify(issuer.user_token())
    assert caught.value.code == "client_not_allowed"


def test_a_check_that_raises_no_code_refuses_with_one(issuer: LocalIssuer) -> None:
    def check(_: Identity) -> None:
        raise TokenRejected("no code")

    with pytest.raises(TokenRejected) as caught:
        Verifier(_policy(issuer, checks=[check]), fetch=issuer.fetch).verify(issuer.user_token())
    assert caught.value.code == "client_not_allowed"


def test_an_iterator_cannot_empty_a_requirement(issuer: LocalIssuer) -> None:
    scopes: Iterator[str] = filter(None, ["admin"])
    with pytest.raises(PolicyError) as caught:
        _policy(issuer, required_scopes=scopes)
    assert caught.value.field == "required_scopes"


def test_a_presented_token_is_never_tolerated_as_a_missing_one(issuer: LocalIssuer) -> None:
    def check(_: Identity) -> None:
        raise errors.MissingToken("not missing at all")

    with pytest.raises(TokenRejected) as caught:
        Verifier(_policy(issuer, checks=[check]), fetch=issuer.fetch).verify(issuer.user_token())
    with pytest.raises(errors.MissingToken):
        Door(optional=True).tolerate(caught.value)


def test_a_fetch_of_the_wrong_kind_is_refused_at_construction(issuer: LocalIssuer) -> None:
    with pytest.raises(PolicyError) as caught:
        Verifier(_policy(issuer), fetch=issuer.async_fetch)  # type: ignore[arg-type]
    assert caught.value.field == "fetch"
    with pytest.raises(PolicyError):
        AsyncVerifier(_policy(issuer), fetch=issuer.fetch)  # type: ignore[arg-type]


def test_ca_certificates_that_cannot_be_read_are_named_at_construction(issuer: LocalIssuer, monkeypatch: Any) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")
    _default_tls.cache_clear()
    try:
        with pytest.raises(PolicyError) as caught:
            Verifier(_policy(issuer))
    finally:
        _default_tls.cache_clear()
    assert caught.value.field == "fetch"
    assert "SSL_CERT_FILE" in caught.value.fix


@pytest.mark.parametrize(
    "values", [None, [None], [5], [bytearray(b"Bearer x")], 5, iter([]), {"Bearer x"}], ids=lambda value: type(value).__name__
)
def test_whatever_is_given_for_values_is_one_of_our_codes(issuer: LocalIssuer, values: Any) -> None:
    with pytest.raises(TokenRejected):
        Verifier(_policy(issuer), fetch=issuer.fetch).authenticate(values)


def test_what_a_check_writes_to_an_identity_is_not_remembered(issuer: LocalIssuer) -> None:
    def grant_once(identity: Identity) -> None:
        if not granted:
            granted.append(True)
            identity.roles |= {"Admin"}

    granted: list[bool] = []
    verifier = Verifier(_policy(issuer, checks=[grant_once]), fetch=issuer.fetch)
    token = issuer.user_token()
    assert "Admin" in verifier.verify(token).roles
    assert "Admin" not in verifier.verify(token).roles


def test_a_bare_error_of_the_tree_from_a_check_is_a_refusal(issuer: LocalIssuer) -> None:
    def refuse(_: Identity) -> None:
        raise errors.AuthenticationError("no")

    with pytest.raises(errors.ClientNotAllowed):
        Verifier(_policy(issuer, checks=[refuse]), fetch=issuer.fetch).verify(issuer.user_token())
