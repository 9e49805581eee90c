"""FederationPolicy: one of Databricks' own objects, judged by Databricks' rules, and the Issuer that it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tokenward import validation
from tokenward.databricks.access import ALGORITHMS
from tokenward.databricks.federation.policy_fields import JUDGES, jwks, resource
from tokenward.databricks.federation.policy_object import OIDC_FIELDS, OUTER_FIELDS, SdkObject, parts_of, unknown_fields
from tokenward.errors import PolicyError
from tokenward.issuer import Issuer

_ISSUERS_WORDS = {"jwks": "jwks_json", "required_values": "subject", "required_claims": "subject_claim"}
"""The Issuer's names of fields, where they are not Databricks'."""


@dataclass(frozen=True)
class FederationPolicy:
    """Which tokens Databricks exchanges: everybody's of the account, or one workload's for one service principal.

    It says nothing of whether the user or service principal exists, nor of what it may do.

    issuer                `iss`, to the letter; https (http on loopback only, for tests)
    audiences             one of which `aud` must name; unset, it is the account id, which must then be known
    subject               what the subject claim must be. With it, the policy is a service principal's; without it, account-wide
    subject_claim         the claim that holds the subject; of an account-wide policy it is the Databricks username
    jwks_uri, jwks_json   where the keys are, or the keys as a string of JSON; Databricks recommends neither, so that they are
                            fetched from the issuer's well-known address
    name, uid, policy_id, description, create_time, update_time, service_principal_id
                          as Databricks' API gives them
    account_id            whose policy it is; read from `name` where that holds it
    unknown_fields        names of what the API sent and this version does not know, and so does not judge

    Raises PolicyError.
    Source: docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-policy
    """

    issuer: str
    audiences: Sequence[str] = field(default=(), kw_only=True)
    subject: str | None = field(default=None, kw_only=True)
    subject_claim: str = field(default="sub", kw_only=True)
    jwks_uri: str | None = field(default=None, kw_only=True)
    jwks_json: str | None = field(default=None, kw_only=True, repr=False)
    name: str | None = field(default=None, kw_only=True)
    uid: str | None = field(default=None, kw_only=True)
    policy_id: str | None = field(default=None, kw_only=True)
    description: str | None = field(default=None, kw_only=True)
    create_time: str | None = field(default=None, kw_only=True)
    update_time: str | None = field(default=None, kw_only=True)
    service_principal_id: int | None = field(default=None, kw_only=True)
    account_id: str | None = field(default=None, kw_only=True)
    unknown_fields: Sequence[str] = field(default=(), kw_only=True)

    has_default_audience: bool = field(init=False)
    _issuer: Issuer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, judge in JUDGES.items():
            self._keep(name, judge(name, getattr(self, name)))
        self._keep("unknown_fields", tuple(validation.items("unknown_fields", self.unknown_fields, "['field']", empty=True)))
        self._join_with_name()
        _require_one_kind(self)
        self._keep("has_default_audience", not self.audiences)
        self._keep("audiences", self.audiences or (_default_audience(self),))
        self._keep("_issuer", _issuer_of(self))

    @classmethod
    def from_databricks(cls, obj: Mapping[str, object] | SdkObject, *, account_id: str | None = None) -> FederationPolicy:
        """The policy in an object of the account API or of databricks-sdk; the inner fields may also lie beside the outer ones.

        Fields that are not known are tolerated and named in `unknown_fields`, because the API grows; but not those that are
        known in another spelling, which would silently count as unset. Null is unset.

        Raises PolicyError, whose `field` is the path in the object.
        """
        outer, inner, prefix = parts_of(obj)
        if inner is outer:
            unknown = unknown_fields(outer, (*OUTER_FIELDS, *OIDC_FIELDS), "")
        else:
            unknown = unknown_fields(outer, (*OUTER_FIELDS, "oidc_policy"), "") + unknown_fields(inner, OIDC_FIELDS, prefix)
        given = {name: inner[name] for name in OIDC_FIELDS if inner.get(name) is not None}
        given |= {name: outer[name] for name in OUTER_FIELDS if outer.get(name) is not None}
        if "issuer" not in given:
            raise PolicyError(f"{prefix}issuer", "it is not set", "Give the iss of the tokens, such as 'https://idp.example/'.")
        try:
            return cls(**given, account_id=account_id, unknown_fields=unknown)  # type: ignore[arg-type]  # each has its judge
        except PolicyError as exc:
            raise PolicyError(f"{prefix}{exc.field}" if exc.field in OIDC_FIELDS else exc.field, exc.problem, exc.fix) from None

    def to_databricks(self) -> dict[str, object]:
        """The object of the account API, with what is set and nothing else; unknown fields are lost."""
        inner = {name: getattr(self, name) for name in OIDC_FIELDS}
        inner["audiences"] = None if self.has_default_audience else list(self.audiences)
        outer: dict[str, object] = {name: getattr(self, name) for name in OUTER_FIELDS}
        outer["oidc_policy"] = {name: value for name, value in inner.items() if value is not None}
        return {name: value for name, value in outer.items() if value is not None}

    @property
    def is_account_wide(self) -> bool:
        """Whether it stands for every user of the account, rather than for one service principal."""
        return self.subject is None

    @property
    def label(self) -> str:
        """What to call it in a log or a table."""
        return self.policy_id or self.name or self.uid or self.issuer

    @property
    def keys_name(self) -> str:
        """Where its keys are: an address, or the word `jwks_json`."""
        return self._issuer.location.name if self.jwks_json is None else "jwks_json"

    def to_issuer(self) -> Issuer:
        """The rules by which tokenward judges a token as this policy does, its subject included; nothing is fetched."""
        return self._issuer

    def _join_with_name(self) -> None:
        """What the resource name says must agree with the other fields, and stands for them where they are not set."""
        found = resource(self.name)
        digits = found.get("principal")
        principal = int(digits) if digits else None
        said = {"account_id": found.get("account"), "service_principal_id": principal, "policy_id": found.get("policy")}
        for name, value in said.items():
            given = getattr(self, name)
            if value is not None and given is not None and given != value:
                raise PolicyError(name, "name holds another one", "Take both from the same policy, or leave one out.")
            self._keep(name, given if value is None else JUDGES[name](name, value))

    def _keep(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # frozen for everybody else


def _require_one_kind(policy: FederationPolicy) -> None:
    """Where it is known whose policy it is, the subject must fit. Source: sdk-py service/oauth2.py, OidcFederationPolicy."""
    is_principals = policy.service_principal_id is not None
    if is_principals and policy.subject is None:
        problem = "it is not set, and this is a service principal's policy"
        raise PolicyError("subject", problem, "Set it to the subject of the workload's tokens; without it any token would do.")
    if resource(policy.name) and not is_principals and policy.subject is not None:
        problem = "it is set, and this is an account-wide policy"
        raise PolicyError("subject", problem, "Leave it out, or make it a policy of the service principal.")


def _default_audience(policy: FederationPolicy) -> str:
    if policy.account_id is None:
        problem = "it is not set, and its default is the id of your Databricks account, which is not given"
        raise PolicyError("audiences", problem, "Pass account_id, or set audiences in the policy.")
    return policy.account_id


def _issuer_of(policy: FederationPolicy) -> Issuer:
    subject = {} if policy.subject is None else {policy.subject_claim: policy.subject}
    keys = None if policy.jwks_json is None else jwks("jwks_json", policy.jwks_json)
    try:
        return Issuer(
            policy.issuer,
            audiences=policy.audiences,
            algorithms=ALGORITHMS,
            jwks=keys,
            jwks_uri=policy.jwks_uri,
            subject_claim=policy.subject_claim,
            required_claims=("exp", policy.subject_claim),
            required_values=subject,
            id_token_marks=(),  # Databricks has no rule against them, and many workloads have nothing but ID tokens
        )
    except PolicyError as exc:
        raise PolicyError(_ISSUERS_WORDS.get(exc.field, exc.field), exc.problem, exc.fix) from None
