"""What a server guards, in a few words, for the start line and for --check: no secret, no token, no identity of a caller."""

from __future__ import annotations

from tokenward.cli.serve.settings import Settings
from tokenward.databricks.hosts import workspace_origin

_OF_POLICY = ("tenant", "tenants", "client_id", "issuer", "audiences", "cloud", "authority", "file", "account_id")
_OF_CREDENTIALS = (
    *("client_id", "scope", "tenant", "everybody"),
    *("secret_env", "secret_file", "certificate", "token_env", "token_file"),
)


def described(command: str, settings: Settings) -> dict[str, object]:
    """What is guarded, by which policy, with which credentials. The settings were judged before."""
    gateway, policy, credentials = settings["gateway"], settings["policy"], settings["credentials"]
    upstream = gateway.get("upstream")
    return {
        "guards": None if upstream is None else workspace_origin("upstream", upstream),
        "allow": gateway.get("allow"),
        "policy": _words(policy.get("kind"), policy.given(*_OF_POLICY)),
        "credentials": _words(credentials.get("kind"), credentials.given(*_OF_CREDENTIALS)),
        "shared_tokens": "redis" if settings["redis"].held else "none: each process has its own",
        **({"asked_by": settings["forward_auth"].get("source", "nginx")} if command == "forward-auth" else {}),
        "configuration": settings.file or "the environment",
    }


def _words(kind: str, given: dict[str, object]) -> str:
    return " ".join([kind, *(f"{name}={_joined(value)}" for name, value in given.items())])


def _joined(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
