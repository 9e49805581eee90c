"""How this service proves to Entra that it is the application: a secret, a certificate, or another provider's token.

Each gives the form fields that a token request must have (RFC 6749 section 2.3.1, RFC 7523 section 2.2). What cannot be had at
the moment is ExchangeUnavailable: nothing is known against the caller then. No secret is in a repr, a reason or a chained error.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from tokenward import validation
from tokenward.databricks.environment import set_in_environment
from tokenward.databricks.on_behalf_of.certificate import CertificateFile, Thumbprint, client_assertion
from tokenward.databricks.on_behalf_of.credential import ClientCredential
from tokenward.errors import ExchangeUnavailable, PolicyError

__all__ = ["ClientCertificate", "ClientCredential", "ClientSecret", "FederatedCredential"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_FEDERATED_CHARS = 16 * 1024
"""Of a federated token; those of Kubernetes and GitHub have one to two thousand."""

PathLike: TypeAlias = str | os.PathLike[str]
_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class ClientSecret:
    """A client secret, by its value. It is not checked here whether Entra knows it, or until when.

    Raises PolicyError, also for the secret's ID, which is often pasted in place of the value.
    """

    __slots__ = ("_value",)
    kind = "secret"

    def __init__(self, value: str) -> None:
        self._value = validation.text("credential", value, "ClientSecret.from_env('ENTRA_CLIENT_SECRET')")
        if validation.GUID.fullmatch(self._value.lower()):
            raise PolicyError("credential", "it is a GUID, so it is the secret's ID", "Copy the secret's value in its place.")

    @classmethod
    def from_env(cls, name: str) -> ClientSecret:
        """The secret in an environment variable, read now. Raises PolicyError."""
        return cls(_from_env(name))

    def fields(self, endpoint: str, client_id: str, now: float) -> dict[str, str]:  # noqa: ARG002  # the protocol's signature
        """The secret itself, in the body: Entra takes it there and in a Basic header."""
        return {"client_secret": self._value}

    def __repr__(self) -> str:
        return "<ClientSecret>"


class ClientCertificate:
    """A certificate with its RSA private key, in PEM: each request is signed anew with the key, which stays here.

    The file is read now, and again when it has changed; while a changed file cannot be read, the pair read before goes on. It is
    not checked whether Entra knows the certificate, or whether it has expired. Elliptic curves are refused, because Entra takes
    RSA only.

    certificate  the file of the certificate, which may hold the key as well
    key          the file of the key, if it is another
    password     of an encrypted key
    thumbprint   "sha256" signs with PS256 and names the certificate by x5t#S256, as Entra documents today; "sha1" is the older
                 form, RS256 and x5t, for authorities that know no other

    Raises PolicyError.
    Source: learn.microsoft.com/entra/identity-platform/certificate-credentials
    """

    __slots__ = ("_file", "_thumbprint")
    kind = "certificate"

    def __init__(
        self,
        certificate: PathLike,
        *,
        key: PathLike | None = None,
        password: str | None = None,
        thumbprint: Thumbprint = "sha256",
    ) -> None:
        self._thumbprint: Thumbprint = "sha1" if _one_of_thumbprints(thumbprint) == "sha1" else "sha256"
        where = _path("certificate", certificate)
        self._file = CertificateFile(where, where if key is None else _path("key", key), password)

    def fields(self, endpoint: str, client_id: str, now: float) -> dict[str, str]:
        """An assertion of our own about ourselves, for this endpoint and five minutes."""
        signed = client_assertion(self._file.current(), self._thumbprint, endpoint, client_id, now)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

    def __repr__(self) -> str:
        return f"<ClientCertificate {self._thumbprint}>"


class FederatedCredential:
    """Another provider's token about this service, such as that of a managed identity or of a Kubernetes service account.

    It is read at every use and never kept, because the platform renews it. It is not verified here; Entra compares its issuer,
    subject and audience with the application's federated credential.

    source  the file that holds the token, or a function that returns it. The function is called in the middle of a request: it
            must not block, so let it return what something else keeps fresh

    Raises PolicyError.
    Source: learn.microsoft.com/entra/workload-id/workload-identity-federation
    """

    __slots__ = ("_source",)
    kind = "federated"

    def __init__(self, source: PathLike | Callable[[], str]) -> None:
        self._source = _no_arguments(source) if callable(source) else _path("credential", source)

    @classmethod
    def from_env(cls, name: str = "AZURE_FEDERATED_TOKEN_FILE") -> FederatedCredential:
        """The file that an environment variable names, as Azure's workload identity sets it. Raises PolicyError."""
        return cls(_from_env(name))

    def fields(self, endpoint: str, client_id: str, now: float) -> dict[str, str]:  # noqa: ARG002  # the protocol's signature
        """The token as it is now."""
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self._read()}

    def _read(self) -> str:
        try:
            text = _file_text(self._source) if isinstance(self._source, Path) else self._source()
        except Exception as exc:  # noqa: BLE001  # the text of a foreign exception may quote the token
            reason = f"this service's federated token cannot be read ({type(exc).__name__})"
            raise ExchangeUnavailable(reason, hint="See the file or the function that FederatedCredential was given.") from None
        token = text.strip() if isinstance(text, str) else ""
        if len(token) > MAX_FEDERATED_CHARS or not _JWS.fullmatch(token):
            reason = "this service's federated token is no signed JWT"
            raise ExchangeUnavailable(reason, hint="See the file or the function that FederatedCredential was given.")
        return token

    def __repr__(self) -> str:
        return "<FederatedCredential>"


def _from_env(name: str) -> str:
    return set_in_environment("credential", name, example="ENTRA_CLIENT_SECRET", fix="Set it where this service runs.")


def _path(field: str, value: object) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise PolicyError(field, "it is no path", "Give the path of a file.")
    return Path(value)


def _one_of_thumbprints(value: object) -> str:
    return validation.choices("thumbprint", [value], ("sha1", "sha256"))[0]


def _no_arguments(value: Callable[..., object]) -> Callable[[], str]:
    fix = "Give a plain function without arguments that returns the token and does not block."
    if validation.is_async(value) or inspect.isgeneratorfunction(value):
        raise PolicyError("credential", "it is async or a generator, and what it returns would be no token", fix)
    try:
        inspect.signature(value).bind()
    except TypeError:
        raise PolicyError("credential", "it cannot be called without arguments", fix) from None
    except ValueError:  # some that are written in C say nothing of their arguments
        pass
    return value  # type: ignore[return-value]  # what it returns is judged each time


def _file_text(path: Path) -> str:
    """A regular file's, and no more of it than a token may have; a pipe would hold up the loop."""
    if not path.is_file():
        raise FileNotFoundError
    with path.open("r", encoding="ascii") as file:
        return file.read(MAX_FEDERATED_CHARS + 2)
