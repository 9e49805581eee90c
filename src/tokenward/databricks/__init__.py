"""In front of Databricks: a caller's token becomes a token of the workspace, the workspace is asked who the caller is, and the
gateway passes on what the caller may call."""

from typing import TYPE_CHECKING

from tokenward import lazily

if TYPE_CHECKING:
    from tokenward.databricks.access import AccessToken, Subject
    from tokenward.databricks.admission.credentials import Fixed, PassThrough
    from tokenward.databricks.admission.patience import Patience
    from tokenward.databricks.admission.rule import Rule
    from tokenward.databricks.exchange import Exchange
    from tokenward.databricks.federation.federation_policy import FederationPolicy
    from tokenward.databricks.federation.policies import policy_of, read_policies
    from tokenward.databricks.federation.would_accept import Verdict, would_accept
    from tokenward.databricks.forward_auth.forward_auth import ForwardAuth
    from tokenward.databricks.gateway.gateway import Gateway
    from tokenward.databricks.issued import issued_tokens
    from tokenward.databricks.on_behalf_of.client_auth import ClientCertificate, ClientSecret, FederatedCredential
    from tokenward.databricks.on_behalf_of.on_behalf_of import OnBehalfOf
    from tokenward.databricks.shared.redis_store import RedisTokens
    from tokenward.databricks.shared.sealing import SealingKeys
    from tokenward.databricks.tokens import AsyncTokenSource, TokenSource
    from tokenward.databricks.workspace.scim_me import User
    from tokenward.databricks.workspace.workspace import AsyncWorkspace, Workspace
    from tokenward.finding import Finding

__all__ = [
    "AccessToken",
    "AsyncTokenSource",
    "AsyncWorkspace",
    "ClientCertificate",
    "ClientSecret",
    "Exchange",
    "FederatedCredential",
    "FederationPolicy",
    "Finding",
    "Fixed",
    "ForwardAuth",
    "Gateway",
    "OnBehalfOf",
    "PassThrough",
    "Patience",
    "RedisTokens",
    "Rule",
    "SealingKeys",
    "Subject",
    "TokenSource",
    "User",
    "Verdict",
    "Workspace",
    "issued_tokens",
    "policy_of",
    "read_policies",
    "would_accept",
]

if not TYPE_CHECKING:  # which would make a type checker take any name for one of these
    __getattr__, __dir__ = lazily.from_homes(
        __name__,
        {
            "AccessToken": "tokenward.databricks.access",
            "AsyncTokenSource": "tokenward.databricks.tokens",
            "AsyncWorkspace": "tokenward.databricks.workspace.workspace",
            "ClientCertificate": "tokenward.databricks.on_behalf_of.client_auth",
            "ClientSecret": "tokenward.databricks.on_behalf_of.client_auth",
            "Exchange": "tokenward.databricks.exchange",
            "FederatedCredential": "tokenward.databricks.on_behalf_of.client_auth",
            "FederationPolicy": "tokenward.databricks.federation.federation_policy",
            "Finding": "tokenward.finding",
            "Fixed": "tokenward.databricks.admission.credentials",
            "ForwardAuth": "tokenward.databricks.forward_auth.forward_auth",
            "Gateway": "tokenward.databricks.gateway.gateway",
            "OnBehalfOf": "tokenward.databricks.on_behalf_of.on_behalf_of",
            "PassThrough": "tokenward.databricks.admission.credentials",
            "Patience": "tokenward.databricks.admission.patience",
            "RedisTokens": "tokenward.databricks.shared.redis_store",
            "Rule": "tokenward.databricks.admission.rule",
            "SealingKeys": "tokenward.databricks.shared.sealing",
            "Subject": "tokenward.databricks.access",
            "TokenSource": "tokenward.databricks.tokens",
            "User": "tokenward.databricks.workspace.scim_me",
            "Verdict": "tokenward.databricks.federation.would_accept",
            "Workspace": "tokenward.databricks.workspace.workspace",
            "issued_tokens": "tokenward.databricks.issued",
            "policy_of": "tokenward.databricks.federation.policies",
            "read_policies": "tokenward.databricks.federation.policies",
            "would_accept": "tokenward.databricks.federation.would_accept",
        },
    )
