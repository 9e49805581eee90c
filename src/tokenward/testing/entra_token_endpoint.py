"""EntraTokenEndpoint: Entra's token endpoint for the on-behalf-of flow of a `LocalIssuer`'s tenant. NOT FOR PRODUCTION."""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509

from tokenward.entra import DATABRICKS_RESOURCE, Version
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.testing.claims import issuer_of
from tokenward.testing.entra_clients import Application, FederatedTrust, holds, opened, public_pem
from tokenward.testing.entra_errors import POLICY_CLAIMS, SHAPES, EntraError, error_answer
from tokenward.testing.faults import JSON, SLOW, Answer, Fault, Mode, of_mode, response_to
from tokenward.testing.issuer import LocalIssuer
from tokenward.testing.options import LIFETIME
from tokenward.testing.tokens import ABSENT

ON_BEHALF_OF = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEFAULT_SECRET = "local-issuer-secret~not-for-production"  # noqa: S105  # it opens nothing

_PATH = re.compile(r"/([0-9a-f-]{36}|common|organizations)/oauth2/(v2\.0/)?token")
_OIDC_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
_CONDITIONAL_ACCESS = frozenset({50076, 50079, 50158, 53003})


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One request as it was judged: no token and no secret. `refused` is the AADSTS number, if it was."""

    version: Version
    client: str = ""
    resource: str = ""
    scope: str = ""
    refused: int | None = None


class EntraTokenEndpoint:
    """Exchanges users' tokens as Entra does, checking them and the client for real. Not for production.

    The application is the issuer's own `client_id`; it starts with one secret. It answers in process (`fetch`, `async_fetch`) and
    behind an `EntraServer`, documents and keys of the issuer included.

    lifetime      seconds that its tokens live
    app_id_uris   audiences that v1 tokens for the application may have beside the client id and api://<client id>
    resources     what tokens can be had for, and with which permission
    asked         the requests so far
    """

    def __init__(self, issuer: LocalIssuer, *, client_secret: str = DEFAULT_SECRET) -> None:
        self.issuer = issuer
        self.application = Application(issuer.client_id, {client_secret})
        self.lifetime = LIFETIME
        self.app_id_uris: set[str] = set()
        self.resources = {DATABRICKS_RESOURCE: "user_impersonation"}
        self.asked: list[Exchanged] = []
        self.fault: Fault | None = None
        self._refusal: EntraError | None = None
        self._lock = threading.Lock()

    # -- how it is set up ----------------------------------------------------------------------------------------------

    def add_certificate(self, pem: bytes) -> None:
        """Upload a certificate to the application."""
        self.application.certificates.append(x509.load_pem_x509_certificate(pem))

    def trust(self, trust: FederatedTrust) -> None:
        """Add a federated credential to the application."""
        self.application.trusts.append(trust)

    def refuse(self, code: int, claims: Mapping[str, object] | None = None) -> None:
        """Refuse every request that is otherwise right with this AADSTS number, such as 65001; `accept()` ends it.

        Those of conditional access come with claims. Raises KeyError for a number whose shape is not known.
        """
        given = POLICY_CLAIMS if claims is None and code in _CONDITIONAL_ACCESS else claims
        self._refusal = EntraError(code, given) if SHAPES[code] else None

    def accept(self) -> None:
        """Judge requests by what they are again."""
        self._refusal = None

    def fail(self, mode: Mode, *, seconds: float = SLOW, status: int = 503, retry_after: int | None = None) -> None:
        """Fail as `LocalIssuer.fail` does, but at this endpoint only. "down" is for requests in process."""
        self.recover()
        self.fault = of_mode(mode, seconds, status, retry_after)

    def recover(self) -> None:
        """Answer properly again."""
        over, self.fault = self.fault, None
        if over is not None:
            over.end()

    # -- answers -------------------------------------------------------------------------------------------------------

    def endpoint(self, version: Version = "2.0") -> str:
        """Its address while the issuer is where it is."""
        return f"{self.issuer.origin}/{self.issuer.tenant}/oauth2{'' if version == '1.0' else '/v2.0'}/token"

    def is_endpoint(self, path: str) -> bool:
        """Whether a path is that of a token endpoint, of any tenant."""
        return _PATH.fullmatch(path) is not None

    def answer(self, path: str, fields: Mapping[str, str], body: bytes) -> Answer:
        """What a POST is answered; names of header fields are in lower case."""
        version: Version = "2.0" if "/v2.0/" in path else "1.0"
        try:
            answer = self._granted(path, version, _form(fields, body))
        except EntraError as refusal:
            self._note(Exchanged(version, refused=refusal.code))
            answer = error_answer(refusal, version, self.issuer.clock())
        return self.fault.spoil(answer) if self.fault else answer

    def fetch(self, request: FetchRequest) -> FetchResponse:
        """The port without a network (`tokenward.keys.port.Fetch`); what is no token request goes to the issuer."""
        parts = urlsplit(request.url)
        if request.method != "POST" or not self.is_endpoint(parts.path) or not request.url.startswith(self.issuer.origin):
            return self.issuer.fetch(request)
        self.issuer.requests.append(request.url)
        if self.fault is not None:
            self.fault.raise_in_process(request)
        fields = {name.lower(): value for name, value in request.headers.items()}
        return response_to(request, self.answer(parts.path, fields, request.content))

    async def async_fetch(self, request: FetchRequest) -> FetchResponse:
        """The same as `tokenward.keys.port.AsyncFetch`. It never pauses."""
        return self.fetch(request)

    # -- one request ---------------------------------------------------------------------------------------------------

    def _granted(self, path: str, version: Version, form: Mapping[str, str]) -> Answer:
        if f"/{self.issuer.tenant}/" not in path:
            raise EntraError(90002)
        if form["grant_type"] != ON_BEHALF_OF:
            raise EntraError(70003)
        if form["client_id"] != self.issuer.client_id:
            raise EntraError(700016)
        now = self.issuer.clock()
        client = self.application.authenticate(form, [self.endpoint("2.0"), self.endpoint("1.0")], now)
        resource, asked = self._resource(version, form)
        user = self._user(form["assertion"], now)
        if self._refusal is not None:
            raise self._refusal
        self._note(Exchanged(version, client, resource, " ".join(sorted(asked))))
        return self._issued(version, user, resource, asked, client)

    def _resource(self, version: Version, form: Mapping[str, str]) -> tuple[str, set[str]]:
        """For what, and which words were asked for."""
        if version == "1.0":
            asked, named = {"openid"}, {form["resource"]} if form.get("resource") else set()
        else:
            if form.get("resource"):
                raise EntraError(901002)
            asked = set(form.get("scope", "").split())
            named = {word.rpartition("/")[0] for word in asked - _OIDC_SCOPES}
        if not named:
            raise EntraError(900144)
        if len(named) > 1 or "" in named:
            raise EntraError(70011)
        resource = named.pop()
        if resource not in self.resources:
            raise EntraError(500011)
        return resource, asked

    def _user(self, assertion: str, now: float) -> dict[str, Any]:
        """The claims of a user's access token for the application. Raises EntraError."""
        header, claims = opened(assertion)
        version: Version = "1.0" if claims.get("ver") == "1.0" else "2.0"
        ours = claims.get("iss") == issuer_of(self.issuer.cloud, version, self.issuer.tenant)
        if not ours or "nonce" in header or not holds(assertion, public_pem(self.issuer, header), ["RS256"]):
            raise EntraError(50013)
        if "azp" not in claims and "appid" not in claims:
            raise EntraError(240002)
        name = self.issuer.client_id
        if str(claims.get("aud")).rstrip("/") not in {name, f"api://{name}", *self.app_id_uris}:
            raise EntraError(500131)
        if not claims.get("nbf", 0) <= now < claims.get("exp", 0):
            raise EntraError(500133)
        if not claims.get("scp"):
            raise EntraError(7000114)
        return claims

    def _issued(self, version: Version, user: Mapping[str, Any], resource: str, asked: set[str], client: str) -> Answer:
        permission, seconds = self.resources[resource], int(self.lifetime)
        name = user.get("unique_name") or user.get("preferred_username")
        claims = {"oid": user["oid"], "appid": self.issuer.client_id, "appidacr": "1" if client == "secret" else "2"}
        claims |= {"unique_name": name, "upn": name, "name": user.get("name"), "tid": user["tid"]}
        token = self.issuer.user_token("1.0", audience=resource, scopes=[permission], lifetime=seconds, claims=claims)
        body: dict[str, object] = {"token_type": "Bearer", "access_token": token}
        if version == "1.0":
            body |= _v1_members(resource, permission, int(self.issuer.clock()), seconds)
        else:
            body |= {"scope": f"{resource}/{permission} {resource}/.default", "expires_in": seconds, "ext_expires_in": seconds}
        if "offline_access" in asked or version == "1.0":
            body["refresh_token"] = f"1.{secrets.token_urlsafe(96)}"
        if "openid" in asked and version == "2.0":
            body["id_token"] = self.issuer.id_token("2.0", lifetime=seconds, claims={"oid": user["oid"], "nonce": ABSENT})
            body["client_info"] = _client_info(user)
        return Answer(200, {**JSON, "cache-control": "no-store, no-cache"}, json.dumps(body).encode())

    def _note(self, exchanged: Exchanged) -> None:
        with self._lock:
            self.asked.append(exchanged)


def _form(fields: Mapping[str, str], body: bytes) -> dict[str, str]:
    """The form, with what every request must have. Raises EntraError."""
    kind = fields.get("content-type", "").partition(";")[0].strip().lower()
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50)
    form = dict(pairs) if kind == "application/x-www-form-urlencoded" else {}
    if len(form) != len(pairs) or not all(form.get(name) for name in ("grant_type", "client_id")):
        raise EntraError(900144)
    if form["grant_type"] == ON_BEHALF_OF and (not form.get("assertion") or form.get("requested_token_use") != "on_behalf_of"):
        raise EntraError(900144)
    return form


def _v1_members(resource: str, permission: str, now: int, seconds: int) -> dict[str, object]:
    """v1 writes numbers as strings, and answers with the resource."""
    times = {"expires_in": seconds, "ext_expires_in": seconds, "expires_on": now + seconds, "not_before": now}
    return {"scope": permission, "resource": resource, **{name: str(value) for name, value in times.items()}}


def _client_info(user: Mapping[str, Any]) -> str:
    """Which account it is, for MSAL's cache."""
    text = json.dumps({"uid": user["oid"], "utid": user["tid"]}).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
