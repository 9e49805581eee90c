"""The apps that are measured, for `uvicorn --factory`. What they need to know comes in the environment."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.gateway.environment import JWKS_URI, UPSTREAM, WORKSPACE
from benchmarks.tokens import CLIENT, V2_ISSUER
from tokenward import Issuer, Policy
from tokenward.databricks import Exchange
from tokenward.databricks.admission.credentials import PassThrough
from tokenward.databricks.forward_auth.forward_auth import ForwardAuth
from tokenward.databricks.gateway.gateway import Gateway

VERDICT_AGE = 300
"""Seconds, so that none ends within a short run, where all would end together. In earnest, at 30, a thousand callers are 33 new
verdicts a second, beside thousands of requests."""


def pass_through() -> Any:
    return Gateway(_policy(), os.environ[UPSTREAM], credentials=PassThrough())


def exchange() -> Any:
    return Gateway(_policy(), os.environ[UPSTREAM], credentials=Exchange(os.environ[WORKSPACE]))


def forward_auth() -> Any:
    return ForwardAuth(_policy(), credentials=Exchange(os.environ[WORKSPACE]), source="nginx", max_age=VERDICT_AGE)


def _policy() -> Policy:
    required = ["exp", "nbf", "tid"]
    return Policy([Issuer(V2_ISSUER, audiences=[CLIENT], jwks_uri=os.environ[JWKS_URI], required_claims=required)])
