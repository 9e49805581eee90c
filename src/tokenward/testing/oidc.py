"""A generic OpenID Connect issuer, with access tokens by RFC 9068. NOT FOR PRODUCTION."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Unpack
from urllib.parse import urlsplit

from tokenward import validation
from tokenward.testing.keys import JWKS
from tokenward.testing.options import LIFETIME, Holding, Minting, require_known
from tokenward.testing.publisher import Publisher
from tokenward.testing.tokens import overridden


class OidcIssuer(Publisher):
    """An issuer whose tokens say `url`, whether or not it is served there. Made by `LocalIssuer.oidc`.

    Raises PolicyError if `url` is not an address an issuer may have.
    """

    header_type = "at+jwt"

    def __init__(self, url: str, **holding: Unpack[Holding]) -> None:
        self.issuer = validation.address("url", url)
        parts = urlsplit(url)
        super().__init__(f"{parts.scheme}://{parts.netloc}", **holding)
        self._path = parts.path.rstrip("/")

    @property
    def discovery_url(self) -> str:
        """Where its metadata is now; for a policy's `discovery_url` while it is served elsewhere than at its own address."""
        return f"{self.origin}{self._path}/.well-known/openid-configuration"

    @property
    def jwks_uri(self) -> str:
        return f"{self.origin}{self._path}/jwks"

    def access_token(
        self,
        audience: str | list[str] = "https://api.example/",
        *,
        subject: str = "user-248289761001",
        client_id: str = "s6BhdRkqt3",
        scopes: Sequence[str] = ("jobs.read",),
        **minting: Unpack[Minting],
    ) -> str:
        """An access token with the claims of RFC 9068 section 2.2."""
        require_known(minting, Minting)
        starts = self.now(minting.get("now"))
        members: dict[str, object] = {
            "iss": self.issuer,
            "exp": int(starts + minting.get("lifetime", LIFETIME)),
            "aud": audience,
            "sub": subject,
            "client_id": client_id,
            "iat": starts,
            "jti": secrets.token_urlsafe(16),
            "scope": " ".join(scopes),
        }
        return self.mint(
            overridden(members, minting.get("claims")),
            header=minting.get("header"),
            key=minting.get("key"),
            algorithm=minting.get("algorithm"),
        )

    def jwks(self) -> JWKS:
        """The published keys; most issuers, unlike Entra, name the algorithm of each."""
        named = {key.kid: {"alg": key.algorithm} for key in self.keys}
        return {"keys": [{**named.get(str(jwk.get("kid")), {}), **jwk} for jwk in self.published()]}

    def metadata(self) -> dict[str, object]:
        """The discovery document (OpenID Connect Discovery 1.0 section 3)."""
        base = f"{self.origin}{self._path}"
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": self.jwks_uri,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({key.algorithm for key in self.keys}),
        }

    def document(self, path: str) -> Mapping[str, object] | None:
        """The document at this path."""
        if path == f"{self._path}/.well-known/openid-configuration":
            return self.metadata()
        return self.jwks() if path == f"{self._path}/jwks" else None
