"""The gateway, as `uvicorn demo.gateway_app:app` runs it in front of the stand-in workspace.

What is here for the demo only: the address over plain HTTP, and a log in JSON.
"""

from __future__ import annotations

import json
import os

import structlog

from tokenward.databricks import Exchange, Gateway, policy_of, read_policies

structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.JSONRenderer(),
    ]
)

workspace = os.environ["DEMO_WORKSPACE"]
policies = read_policies(json.loads(os.environ["DEMO_POLICIES"]), account_id=os.environ["DEMO_ACCOUNT_ID"])
users = [policy for policy in policies if policy.is_account_wide]  # callers act as themselves, not as a service principal

app = Gateway(policy_of(users), workspace, credentials=Exchange(workspace), allow=["sql", "serving", "files", "me"])
