"""What the page knows once it is loaded: the glossary, the catalogue of errors, and by which policy tokens are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from tokenward.acquisition.catalogue import Entry, entries
from tokenward.acquisition.diagnosis import LOOK_UP, LOOK_UP_B2C
from tokenward.policy import Policy
from tokenward.troubleshoot.glossary import glossary

MAX_SHOWN = 20
"""Issuers of a policy that are named on the page; with the tenants of some policies there are a thousand."""


def facts(policy: Policy | None) -> Mapping[str, object]:
    """One JSON object; it holds configuration and public knowledge, and no secret."""
    known = glossary()
    return {
        "policy": None if policy is None else _policy(policy),
        "terms": [asdict(term) for term in known.terms.values()],
        "values": dict(known.values),
        "errors": [_entry(entry) for entry in entries().values()],
        "look_up": {"AADSTS": LOOK_UP, "AADB2C": LOOK_UP_B2C},
    }


def _policy(policy: Policy) -> list[Mapping[str, object]]:
    return [
        {"issuer": issuer.issuer, "audiences": list(issuer.audiences), "tenants": _tenants(issuer.tenants)}
        for issuer in policy.issuers[:MAX_SHOWN]
    ]


def _tenants(tenants: object) -> object:
    return list(tenants)[:MAX_SHOWN] if isinstance(tenants, (list, tuple, frozenset)) else tenants


def _entry(entry: Entry) -> Mapping[str, object]:
    found_by = {"match": list(entry.match), "only_with": list(entry.only_with)}
    return {**entry.to_json(), "trying_again": entry.trying_again, **found_by}
