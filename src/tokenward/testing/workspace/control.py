"""How another process steers a served stand-in: POST /control/mint, users, policies, serving, fail, limit,
recover; GET state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TypeAlias

from tokenward import validation
from tokenward.testing.tokens import ABSENT
from tokenward.testing.workspace.faults import Fault
from tokenward.testing.workspace.messages import Object, Reply, Request, json_reply
from tokenward.testing.workspace.people import DEFAULT_USER
from tokenward.testing.workspace.workspace import DatabricksWorkspace

Action: TypeAlias = Callable[[DatabricksWorkspace, Object], Object]


class ControlError(Exception):
    """A control request that makes no sense; the text says why."""


def control(workspace: DatabricksWorkspace, request: Request) -> Reply:
    """Carry out one control request. Raises Refused for a body that is not JSON."""
    action = _ACTIONS.get((request.method, request.path.removeprefix("/control/")))
    if action is None:
        return json_reply(404, {"error": f"ask for one of {', '.join(f'{verb} /control/{name}' for verb, name in _ACTIONS)}"})
    try:
        return json_reply(200, action(workspace, request.json()))
    except ControlError as error:
        return json_reply(400, {"error": str(error)})
    except (TypeError, ValueError, KeyError, OverflowError) as exc:
        return json_reply(400, {"error": f"{type(exc).__name__}: {exc}"})


def _mint(workspace: DatabricksWorkspace, body: Object) -> Object:
    """{kind?: federated|databricks|entra, subject?, lifetime?, claims?, without?: [claim names]}

    "federated" is a token of the identity provider, to be exchanged; "databricks" is what an exchange gives; "entra" is an Entra
    token for AzureDatabricks.
    """
    options = dict(body)
    kind, subject = options.pop("kind", "federated"), str(options.pop("subject", DEFAULT_USER))
    lifetime = _number(options.pop("lifetime", 3600))
    if kind == "databricks":
        return {"token": workspace.access_token(subject, lifetime=lifetime)}
    given, without = options.pop("claims", {}), options.pop("without", [])
    if options or not isinstance(given, dict) or not isinstance(without, list):
        raise ControlError("take kind, subject, lifetime, claims (an object) and without (a list)")
    claims: Mapping[str, object] = {**given, **dict.fromkeys(map(str, without), ABSENT)}
    if kind == "federated":
        return {"token": workspace.federated_jwt(subject, lifetime=lifetime, claims=claims)}
    if kind == "entra":
        named = {"unique_name": subject, "upn": subject, **claims}
        return {"token": workspace.tenant.databricks_token(lifetime=lifetime, claims=named)}
    raise ControlError("kind is one of federated, databricks, entra")


def _users(workspace: DatabricksWorkspace, body: Object) -> Object:
    """{name, display_name?, kind?: user|service_principal, in_workspace?}"""
    name, shown = body.get("name"), str(body.get("display_name", ""))
    if not isinstance(name, str) or not name:
        raise ControlError("name is missing")
    is_user = body.get("kind", "user") == "user"
    add = workspace.directory.add_user if is_user else workspace.directory.add_service_principal
    return add(name, shown, in_workspace=body.get("in_workspace") is not False).scim()


def _add_policy(workspace: DatabricksWorkspace, body: Object) -> Object:
    """A federation policy as Databricks' API takes it."""
    return workspace.federation.add(body).to_databricks()


def _clear_policies(workspace: DatabricksWorkspace, _: Object) -> Object:
    workspace.federation.clear()
    return workspace.policies()


def _policies(workspace: DatabricksWorkspace, _: Object) -> Object:
    return workspace.policies()


def _serving(workspace: DatabricksWorkspace, body: Object) -> Object:
    """{pause}: seconds between two events of a stream."""
    workspace.serving.pause = validation.seconds("pause", body["pause"], most=3600)
    return {"pause": workspace.serving.pause}


def _fail(workspace: DatabricksWorkspace, body: Object) -> Object:
    """{mode, path?, seconds?, status?, retry_after?, times?, members?, without?}, as `faults.Fault`."""
    workspace.fail(Fault(**body))  # type: ignore[arg-type]  # Fault judges them
    return _state(workspace, {})


def _limit(workspace: DatabricksWorkspace, body: Object) -> Object:
    """{path, requests, seconds}"""
    workspace.limit(str(body["path"]), int(_number(body["requests"])), _number(body["seconds"]))
    return _state(workspace, {})


def _recover(workspace: DatabricksWorkspace, _: Object) -> Object:
    workspace.recover()
    return _state(workspace, {})


def _state(workspace: DatabricksWorkspace, _: Object) -> Object:
    return {
        "url": workspace.origin,
        "account_id": workspace.account_id,
        "workspace_id": workspace.workspace_id,
        "faults": workspace.faults.names(),
        "counts": dict(workspace.counts),
        "exchanges": [asdict(exchange) for exchange in workspace.exchanges],
    }


_ACTIONS: dict[tuple[str, str], Action] = {
    ("POST", "mint"): _mint,
    ("POST", "users"): _users,
    ("POST", "policies"): _add_policy,
    ("DELETE", "policies"): _clear_policies,
    ("GET", "policies"): _policies,
    ("POST", "serving"): _serving,
    ("POST", "fail"): _fail,
    ("POST", "limit"): _limit,
    ("POST", "recover"): _recover,
    ("GET", "state"): _state,
}


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ControlError("a number is not a number")
    return float(value)
