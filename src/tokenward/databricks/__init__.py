"""Databricks credentials: a caller's token becomes a token of the workspace, and the workspace is asked who the caller is."""

from tokenward.databricks.access import AccessToken, Subject
from tokenward.databricks.exchange import Exchange
from tokenward.databricks.federation.federation_policy import FederationPolicy
from tokenward.databricks.federation.policies import policy_of, read_policies
from tokenward.databricks.federation.would_accept import Finding, Verdict, would_accept
from tokenward.databricks.issued import issued_tokens
from tokenward.databricks.on_behalf_of.client_auth import ClientCertificate, ClientSecret, FederatedCredential
from tokenward.databricks.on_behalf_of.on_behalf_of import OnBehalfOf
from tokenward.databricks.tokens import AsyncTokenSource, TokenSource
from tokenward.databricks.workspace.scim_me import User
from tokenward.databricks.workspace.workspace import AsyncWorkspace, Workspace

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
    "OnBehalfOf",
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
