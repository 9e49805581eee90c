"""RFC 9728: where a client learns at which authorization server to get a token for the gateway's own address.

MCP clients ask for it. Databricks publishes such documents for its own host; passed on unchanged they would have clients sign in
around the gateway, so the gateway has its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from tokenward import validation
from tokenward.challenge import Answer, json_answer
from tokenward.databricks.admission.field_values import Fields
from tokenward.errors import PolicyError
from tokenward.policy import Policy

WELL_KNOWN = "/.well-known/oauth-protected-resource"
MCP = "/api/2.0/mcp/"
"""Under which the managed MCP servers of a workspace are, each a resource of its own (RFC 9728 section 3.1)."""
_NAMED = re.compile(rb"""resource_metadata[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[^\s,]*)""", re.IGNORECASE)
"""The parameter of a challenge, quoted or not (RFC 9110 section 11.2)."""
_EXAMPLE = "'https://gateway.example.com'"


class ResourceMetadata:
    """The documents of one gateway. The caller's Host header has no part in them.

    public_url             the address that clients use, without a path beyond where the gateway is mounted
    authorization_servers  their issuer identifiers; by default the policy's issuers

    Raises PolicyError.
    """

    def __init__(self, public_url: str, authorization_servers: Iterable[str], policy: Policy) -> None:
        self._url = _public(public_url)
        parts = urlsplit(self._url)
        self._origin, self._mount = f"{parts.scheme}://{parts.netloc}", parts.path
        given = validation.texts("authorization_servers", authorization_servers, "['https://idp.example']", empty=True)
        self._servers = [validation.address("authorization_servers", server) for server in given] or _issuers(policy)

    def address_for(self, path: str) -> str:
        """Where the document for this path stands, for a challenge."""
        return f"{self._origin}{WELL_KNOWN}{self._mount}{_resource(path)}"

    def of_challenge(self, fields: Fields, path: str) -> Fields:
        """An answer's fields, with this gateway's document where the upstream's challenge names its own (RFC 9728 section 5.1).

        A client that followed that one would sign in for the upstream, and call it directly.
        """
        ours = f'resource_metadata="{self.address_for(path)}"'.encode()
        return [
            (name, _NAMED.sub(lambda _: ours, value))
            if name == b"www-authenticate" and b"resource_metadata" in value.lower()
            else (name, value)
            for name, value in fields
        ]

    def document_at(self, path: str) -> Answer | None:
        """The answer for the address of a document, with or without the mount point's path; None for any other."""
        if not path.startswith(WELL_KNOWN):
            return None
        asked = path[len(WELL_KNOWN) :].removeprefix(self._mount)
        if asked and _resource(asked) != asked:
            return None
        document = {
            "resource": self._url + asked,
            "authorization_servers": self._servers,
            "bearer_methods_supported": ["header"],
        }
        return json_answer(200, document, cache="max-age=300")


def _resource(path: str) -> str:
    """The resource that a path belongs to: an MCP server has its own, everything else is the gateway's."""
    return path if path.startswith(MCP) and len(path) > len(MCP) else ""


def _public(value: object) -> str:
    url = validation.address("public_url", value)
    parts = urlsplit(url)
    if parts.query or parts.fragment or url.endswith("?"):
        raise PolicyError("public_url", "it has a query", f"Write the address that clients use, like {_EXAMPLE}.")
    return url.rstrip("/")


def _issuers(policy: Policy) -> list[str]:
    servers = [issuer.issuer for issuer in policy.issuers if "{" not in issuer.issuer]
    if not servers:
        problem = "no issuer of the policy is the address of one authorization server"
        fix = "Name them, such as ['https://login.microsoftonline.com/<tenant>/v2.0']."
        raise PolicyError("authorization_servers", problem, fix)
    return servers
