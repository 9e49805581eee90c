"""The app that real proxies ask in the tests: one token for all callers, so that a replaced Authorization is easy to see."""

import os
from dataclasses import replace

from tokenward import entra
from tokenward.databricks.admission.credentials import Fixed
from tokenward.databricks.forward_auth.forward_auth import ForwardAuth

policy = entra.api(
    client_id=os.environ["CLIENT_ID"],
    tenants=[os.environ["TENANT"]],
    cloud=replace(entra.PUBLIC, authority=os.environ["AUTHORITY"]),
)
app = ForwardAuth(
    policy,
    credentials=Fixed("for-upstream"),
    source=os.environ["SOURCE"],
    allow=["sql", "serving", "files", "mcp"],
    warm_up=2.0,
)
