"""A service that verifies its caller's federated JWT, exchanges it, and asks Databricks who that is. Try it on the stand-in:

python -m tokenward.testing.workspace --port 8500                                   # prints an account_id
curl -s http://127.0.0.1:8500/control/policies > policies.json                      # Databricks' own form of policies
DATABRICKS_HOST=http://127.0.0.1:8500 DATABRICKS_ACCOUNT_ID=... POLICIES=policies.json uvicorn databricks_caller:app
"""

import os
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from tokenward.databricks import AsyncTokenSource, AsyncWorkspace, Exchange, policy_of, read_policies
from tokenward.middleware.asgi import BearerMiddleware

host = os.environ.get("DATABRICKS_HOST") or sys.exit("Set DATABRICKS_HOST: the workspace, such as adb-1.2.azuredatabricks.net.")
file = os.environ.get("POLICIES") or sys.exit("Set POLICIES: a file of your account's federation policies, as JSON.")
policies = read_policies(Path(file).read_bytes(), account_id=os.environ.get("DATABRICKS_ACCOUNT_ID"))
users = [policy for policy in policies if policy.is_account_wide]  # callers act as themselves, not as a service principal
tokens = AsyncTokenSource(Exchange(host))
workspace = AsyncWorkspace(host)


async def me(request: Request) -> JSONResponse:
    """What these two raise, such as ExchangeRefused, UserNotInWorkspace or ExchangeUnavailable, the middleware answers."""
    jwt = request.headers["Authorization"].split()[1]  # the very token that was verified; its grammar was checked, too
    user = await workspace.me(await tokens.token_for(jwt))
    return JSONResponse({"caller": request.state.identity.subject, "user": user.user_name, "name": user.display_name})


async def health(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


guard = Middleware(BearerMiddleware, policy=policy_of(users), exempt=["/health"])
app = Starlette(routes=[Route("/me", me), Route("/health", health)], middleware=[guard])
