"""What a configuration can be warned of without asking any network: by --check on stderr, and in the log at every start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tokenward.cli.serve.app import FORWARD_AUTH
from tokenward.cli.serve.server import Server
from tokenward.cli.serve.settings import Settings


@dataclass(frozen=True, slots=True)
class Caution:
    """A warning: the name of its event, what to do, and what the event says besides."""

    event: str
    hint: str
    fields: Mapping[str, object] = field(default_factory=dict)


def cautions(command: str, settings: Settings, server: Server) -> list[Caution]:
    """Everything that could be meant and probably is not. The settings were judged before."""
    return [*_of_the_network(command, server), *_of_the_rules(settings), *_of_the_tokens(settings)]


def _of_the_network(command: str, server: Server) -> Iterator[Caution]:
    listen = {"listen": server.url}
    if server.is_exposed:
        hint = "Set [server] tls_certificate, or let nothing but a proxy that ends TLS reach this address."
        yield Caution("plain_http", hint, listen)
    if command == FORWARD_AUTH and not server.is_local:
        hint = "Whoever reaches it with a good token is handed the token for the workspace: let only the proxy reach it."
        yield Caution("verdicts_exposed", hint, listen)


def _of_the_rules(settings: Settings) -> Iterator[Caution]:
    if "all" in settings["gateway"].get("allow"):
        hint = "[gateway] allow holds all, with what runs code in the workspace. Name what is called: sql, serving, files, me."
        yield Caution("everything_allowed", hint)


_MISFITS: Mapping[tuple[str, str], Caution] = MappingProxyType(
    {
        ("databricks", "exchange"): Caution(
            "exchange_not_needed",
            "The policy databricks lets tokens in that the workspace takes as they are: take [credentials] kind pass_through. "
            "exchange is for tokens of a federated identity provider, whose policy is federation (or oidc); it works here only "
            "if a federation policy of the account names Entra as issuer and Azure Databricks as audience.",
        ),
        ("databricks", "on_behalf_of"): Caution(
            "on_behalf_of_not_possible",
            "Entra gives tokens on behalf of a user for a token of this gateway's own application, which the policy databricks "
            "never lets in: take [credentials] kind pass_through, or [policy] kind api.",
        ),
    }
)
"""Tokens of a policy that these credentials have no use for. What they would give away is refused elsewhere (guarding)."""


def _of_the_tokens(settings: Settings) -> Iterator[Caution]:
    caution = _MISFITS.get((settings["policy"].get("kind"), settings["credentials"].get("kind")))
    if caution is not None:
        yield caution
