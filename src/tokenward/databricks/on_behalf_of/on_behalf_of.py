"""On-behalf-of: the access token that a user sent to this service -> the same user's token for Azure Databricks.

What Entra would refuse in any case (a token for another application, an application's own, an ID token, an expired one) is
refused here before it is sent anywhere. Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from tokenward import entra, validation
from tokenward.asking.steps import RetryBudget, Steps, with_retries
from tokenward.databricks.access import AccessToken, Subject
from tokenward.databricks.answers import form_request
from tokenward.databricks.grant import key_of
from tokenward.databricks.on_behalf_of.credential import ClientCredential, require_credential
from tokenward.databricks.on_behalf_of.entra_answer import EntraRefused, read_answer
from tokenward.entra import Cloud, Version
from tokenward.errors import PolicyError, TokenExpired, TokenRejected
from tokenward.hints import GRAPH_AUDIENCES
from tokenward.identity import client_of
from tokenward.issuer import ID_TOKEN_MARKS
from tokenward.issuer_name import for_tenant
from tokenward.token.strict import parse_object

DEFAULT_SCOPE = f"{entra.DATABRICKS_RESOURCE}/.default"
"""Everything that was consented to for AzureDatabricks, whose only delegated permission is user_impersonation today."""
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ATTEMPT = 5.0
"""Seconds for one request; the total is the token source's. Entra answers within one."""

_NOT_RESOURCES = frozenset({"openid", "profile", "email", "offline_access"})


@dataclass(frozen=True, eq=False, repr=False)
class OnBehalfOf:
    """The way to a user's Databricks token through Entra, for a service to which the user's token was issued (a Grant).

    It does not verify the user's token, keeps nothing (a token source does), and asks for no refresh token. The users must be of
    one tenant; for users of several tenants make one of these for each.

    tenant      the tenant id (GUID) of users and workspace
    client_id   this service's own application id, for which the user's token must have been issued
    credential  how this service authenticates: `ClientSecret`, `ClientCertificate` or `FederatedCredential`
    scope       space separated, of one resource
    audiences   further application ID URIs of this service that a v1 token's `aud` may have, beside the client id and
                api://<client id>
    version     of the endpoint, not of the tokens: "2.0" asks for the scope, "1.0" for its resource
    cloud,      the Entra cloud, and another authority in its place (scheme and host); http only on this machine
      authority
    claims      further claims to ask for, as the text of a JSON object (OpenID Connect Core section 5.5)

    Raises PolicyError.
    """

    tenant: str
    client_id: str
    credential: ClientCredential
    scope: str = field(default=DEFAULT_SCOPE, kw_only=True)
    audiences: Sequence[str] = field(default=(), kw_only=True)
    version: Version = field(default="2.0", kw_only=True)
    cloud: Cloud = field(default=entra.PUBLIC, kw_only=True)
    authority: str | None = field(default=None, kw_only=True)
    claims: str | None = field(default=None, kw_only=True)

    endpoint: str = field(init=False)
    _budget: RetryBudget = field(default_factory=RetryBudget, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._keep("tenant", validation.tenant("tenant", self.tenant))
        self._keep("client_id", _client_id(self.client_id))
        self._keep("credential", require_credential(self.credential))
        self._keep("scope", _scope(self.scope))
        self._keep("audiences", _audiences(self.client_id, self.audiences))
        self._keep("version", validation.choices("version", [self.version], entra.VERSIONS)[0])
        self._keep("claims", _claims(self.claims))
        self._keep("authority", _authority(self.cloud, self.authority))
        self._keep("endpoint", f"{self.authority}/{self.tenant}/oauth2{'' if self.version == '1.0' else '/v2.0'}/token")

    @property
    def name(self) -> str:
        """For logs."""
        return f"on_behalf_of {urlsplit(self.endpoint).hostname}"

    def key(self, subject: Subject) -> bytes:
        """What the access token depends on: the user's token, and everything in the request but the credential."""
        return key_of("on_behalf_of", subject.token, self.endpoint, self.client_id, self.scope, self.claims)

    def steps(self, subject: Subject, now: float) -> Steps[AccessToken]:
        """The steps to the token. `now` is in seconds since the epoch.

        Raises TokenExpired, ExchangeRefused (as EntraRefused), ClaimsChallenge or ExchangeUnavailable.
        """
        try:
            self._judge(subject, now)
            fields = self._fields(subject) | self.credential.fields(self.endpoint, self.client_id, now)
            answer = yield from with_retries(form_request(self.endpoint, fields, ATTEMPT), budget=self._budget)
            return read_answer(answer, subject, now, scope=self.scope)
        except TokenRejected as rejection:
            subject.noted_on(rejection)
            raise

    def _fields(self, subject: Subject) -> dict[str, str]:
        asked = {"scope": self.scope} if self.version == "2.0" else {"resource": _resource(self.scope)}
        return {
            "grant_type": GRANT_TYPE,
            "client_id": self.client_id,
            "assertion": subject.token,
            "requested_token_use": "on_behalf_of",
            **asked,
            **({} if self.claims is None else {"claims": self.claims}),
        }

    def _judge(self, subject: Subject, now: float) -> None:
        """What Entra refuses without exception; it allows no clock skew (AADSTS500133)."""
        claims = subject.claims
        if now >= subject.expires_at:
            raise TokenExpired("the caller's token expired before it could be exchanged", claim="exp", actual=subject.expires_at)
        if not _names_one_of(claims.get("aud"), self.audiences):
            raise self._not_for_us(claims.get("aud"))
        if client_of(claims) is None or any(claims.get(mark) is not None for mark in ID_TOKEN_MARKS):
            raise EntraRefused("an ID token, which nothing can be had for", hint=_SEND_ACCESS_TOKEN, claim="typ")
        if entra.caller_kind(claims) != "user" or not claims.get("scp"):
            raise EntraRefused("an application's token, and only users can be acted for", hint=_USERS_ONLY, claim="kind")
        if claims.get("tid") != self.tenant:
            advice = "Make one OnBehalfOf for each tenant whose users may call, and take the one of the token's tid."
            raise EntraRefused("the user's token is of another tenant", hint=advice, claim="tid", expected=self.tenant)
        if claims.get("iss") not in [for_tenant(form, self.tenant) for form in self._issuers()]:
            advice = "Only tokens of this tenant can be used; those of other issuers stay here."
            raise EntraRefused("the user's token is of another issuer", hint=advice, claim="iss", expected=self._issuers())

    def _issuers(self) -> list[str]:
        return [self.cloud.v1_issuer, self.cloud.v2_issuer]

    def _not_for_us(self, aud: object) -> EntraRefused:
        advice = f"The client must ask for a token for this service, such as with the scope api://{self.client_id}/.default."
        if _names_one_of(aud, GRAPH_AUDIENCES):
            advice = f"This is a Microsoft Graph token, which cannot be exchanged. {advice}"
        if _names_one_of(aud, (entra.DATABRICKS_RESOURCE,)):
            advice = (
                "This is a token for Azure Databricks already: send it on as it is, or have the client ask for this service's."
            )
        return EntraRefused("aud is not this service", hint=advice, claim="aud", expected=self.audiences, actual=aud)

    def _keep(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # frozen for everybody else

    def __repr__(self) -> str:
        return f"<OnBehalfOf {self.endpoint} client_id={self.client_id} credential={self.credential.kind}>"


_SEND_ACCESS_TOKEN = "The client must send the access token that it got for this service, and not its ID token."  # noqa: S105
_USERS_ONLY = "Applications get a Databricks token of their own (client credentials); let this one call Databricks itself."


def _names_one_of(aud: object, names: Sequence[str] | frozenset[str]) -> bool:
    listed = aud if isinstance(aud, list) else [aud]
    return any(isinstance(name, str) and (name in names or name.rstrip("/") in names) for name in listed)


# -- arguments ---------------------------------------------------------------------------------------------------------


def _client_id(value: object) -> str:
    fix = "Copy the Application (client) ID of this service's own app registration."
    name = validation.guid("client_id", value, fix)
    if name in GRAPH_AUDIENCES or name == entra.DATABRICKS_RESOURCE:
        raise PolicyError("client_id", "it is Microsoft's own application, not this service", fix)
    return name


def _audiences(client_id: str, value: object) -> tuple[str, ...]:
    given = validation.exact("audiences", value, "['api://jobs.example']", empty=True)
    return tuple(dict.fromkeys((client_id, f"api://{client_id}", *(name.rstrip("/") for name in given))))


def _scope(value: object) -> str:
    """Sorted, so that one wish has one key; of one resource, because Entra gives a token for one (AADSTS700022)."""
    words = sorted(set(validation.text("scope", value, f"'{DEFAULT_SCOPE}'").split()))
    if not _NOT_RESOURCES.isdisjoint(words):
        fix = "Leave out openid, profile, email and offline_access: nothing here reads ID tokens or keeps refresh tokens."
        raise PolicyError("scope", "it asks for more than an access token", fix)
    if any("/" not in word.strip("/") for word in words) or len({_resource(word) for word in words}) != 1:
        raise PolicyError("scope", "it is not of one resource", f"Write resource/permission, such as '{DEFAULT_SCOPE}'.")
    return " ".join(words)


def _resource(scope: str) -> str:
    """What comes before the permission, of the first scope."""
    return scope.split(" ", 1)[0].rpartition("/")[0]


def _claims(value: object) -> str | None:
    if value is None:
        return None
    try:
        parse_object(validation.text("claims", value, "'{\"access_token\":{...}}'").encode())
    except ValueError as exc:
        problem = str(exc) if not isinstance(exc, PolicyError) else exc.problem
        raise PolicyError("claims", problem, "Give the text of a JSON object, or leave it out.") from None
    return str(value)


def _authority(cloud: object, authority: object) -> str:
    if not isinstance(cloud, Cloud):
        raise PolicyError("cloud", "it is not a Cloud", "Take entra.PUBLIC, entra.US_GOV or entra.CHINA, or make an entra.Cloud.")
    return cloud.authority if authority is None else replace(cloud, authority=authority).authority  # type: ignore[arg-type]
