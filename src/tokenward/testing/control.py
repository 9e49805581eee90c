"""How another process steers a served issuer: POST /control/mint, rotate, fail, recover; GET /control/state."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

from tokenward.testing.faults import Fault
from tokenward.testing.issuer import LocalIssuer
from tokenward.testing.publisher import Publisher
from tokenward.testing.tokens import ABSENT

Body: TypeAlias = Mapping[str, object]
Reply: TypeAlias = dict[str, object]


class ControlError(Exception):
    """A control request that makes no sense; the text says why."""


def control(issuer: Publisher, method: str, path: str, body: Body) -> tuple[int, Reply]:
    """Carry out one control request: a status and a JSON object."""
    action = _ACTIONS.get((method, path.removeprefix("/control/")))
    if action is None:
        return 404, {"error": f"ask for one of {', '.join(f'{verb} /control/{name}' for verb, name in _ACTIONS)}"}
    try:
        return 200, action(issuer, body)
    except ControlError as error:
        return 400, {"error": str(error)}
    except (TypeError, ValueError, KeyError, OverflowError) as exc:
        return 400, {"error": f"{type(exc).__name__}: {exc}"}


def _mint(issuer: Publisher, body: Body) -> Reply:
    """{kind: user|app|guest|id|databricks|raw, version?, claims?, header?, without?: [claim names], key?: "stranger", ...}

    What else a kind takes has the names of the minting method's arguments: scopes and roles of a user or guest, roles of an app.
    """
    options = dict(body)
    claims = dict(_mapping(options.pop("claims", {}), "claims"))
    claims |= dict.fromkeys(_names(options.pop("without", [])), ABSENT)
    if options.get("key") is not None:
        options["key"] = _key(issuer, options["key"])
    minter = _minter(issuer, options.pop("kind", "user"))
    return {"token": minter(claims=claims, **options)}


def _rotate(issuer: Publisher, body: Body) -> Reply:
    """{keep_old?: true}"""
    return {"kid": issuer.rotate(keep_old=body.get("keep_old") is not False).kid}


def _fail(issuer: Publisher, body: Body) -> Reply:
    """{mode, seconds?, status?, retry_after?}. "down" must say for how many seconds: nobody could call it back."""
    options = dict(body)
    if options.get("mode") == "down" and options.get("seconds") is None:
        raise ControlError("down needs seconds: a server that refuses connections cannot hear of its recovery")
    issuer.fail(**options)  # type: ignore[arg-type]  # Fault judges them
    if issuer.fault is not None and issuer.fault.door != "open":
        _end_later(issuer, issuer.fault, float(str(options["seconds"])))
    return _state(issuer, {})


def _end_later(issuer: Publisher, fault: Fault, seconds: float) -> None:
    def _end() -> None:
        if issuer.fault is fault:
            issuer.recover()

    timer = threading.Timer(seconds, _end)
    timer.name = "local-issuer-outage"
    timer.daemon = True
    timer.start()


def _recover(issuer: Publisher, body: Body) -> Reply:
    issuer.recover()
    return _state(issuer, body)


def _odd_keys(issuer: Publisher, body: Body) -> Reply:
    issuer.publish_odd_keys()
    return _state(issuer, body)


def _state(issuer: Publisher, _: Body) -> Reply:
    return {
        "url": issuer.origin,
        "keys": [jwk.get("kid") for jwk in issuer.published()],
        "signing": issuer.signing_key.kid,
        "fault": issuer.fault.name if issuer.fault else None,
        "requests": list(issuer.requests),
    }


_ACTIONS: dict[tuple[str, str], Callable[[Publisher, Body], Reply]] = {
    ("POST", "mint"): _mint,
    ("POST", "rotate"): _rotate,
    ("POST", "fail"): _fail,
    ("POST", "recover"): _recover,
    ("POST", "odd-keys"): _odd_keys,
    ("GET", "state"): _state,
}


def _minter(issuer: Publisher, kind: object) -> Callable[..., str]:
    if kind == "raw":
        return issuer.mint
    if not isinstance(issuer, LocalIssuer):
        raise ControlError("this issuer mints kind raw only")
    minters: dict[object, Callable[..., str]] = {
        "user": issuer.user_token,
        "app": issuer.app_token,
        "guest": issuer.guest_token,
        "id": issuer.id_token,
        "databricks": issuer.databricks_token,
    }
    if kind not in minters:
        raise ControlError(f"kind is one of {', '.join(map(str, minters))}, raw")
    return minters[kind]


def _key(issuer: Publisher, name: object) -> object:
    if name == "stranger":
        return issuer.stranger_key()
    for key in issuer.keys:
        if key.kid == name:
            return key
    raise ControlError('key is "stranger" or the kid of a published key')


def _mapping(value: object, name: str) -> Body:
    if not isinstance(value, dict):
        raise ControlError(f"{name} is not an object")
    return value


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ControlError("without is not a list of claim names")
    return value
