"""A guarded WSGI app, without any framework. Try it against the local issuer:

python -m tokenward.testing --port 8400          # prints a tenant and a client_id
TENANT=... CLIENT_ID=... AUTHORITY=http://127.0.0.1:8400 gunicorn --threads 8 wsgi_app:application
"""

import json
import os
import sys
from dataclasses import replace
from wsgiref.types import StartResponse, WSGIEnvironment

from tokenward import entra
from tokenward.middleware.wsgi import BearerMiddleware

policy = entra.api(
    client_id=os.environ.get("CLIENT_ID") or sys.exit("Set CLIENT_ID: the Application (client) ID of your API."),
    tenants=[os.environ.get("TENANT") or sys.exit("Set TENANT: the Directory (tenant) ID whose users may call.")],
    cloud=replace(entra.PUBLIC, authority=os.environ.get("AUTHORITY", entra.PUBLIC.authority)),  # not needed in production
)


def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    user = environ["tokenward.identity"]
    start_response("200 OK", [("Content-Type", "application/json")])
    if user is None:  # only exempt paths come here without one
        return [b'"ok"']
    answer = {"user": user.subject, "kind": user.kind, "tenant": environ["tokenward.claims"]["tid"]}
    return [json.dumps(answer).encode()]


application = BearerMiddleware(app, policy=policy, exempt=["/health"])
