"""A guarded Django project in one file, for WSGI (`application`) and for ASGI (`asgi`). Try it against the local issuer:

python -m tokenward.testing --port 8400          # prints a tenant and a client_id
TENANT=... CLIENT_ID=... AUTHORITY=http://127.0.0.1:8400 gunicorn --threads 8 django_app:application
TENANT=... CLIENT_ID=... AUTHORITY=http://127.0.0.1:8400 uvicorn django_app:asgi
"""

# mypy: disable-error-code="import-untyped"
import os
import secrets
import sys
from dataclasses import replace

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from tokenward import entra

policy = entra.api(
    client_id=os.environ.get("CLIENT_ID") or sys.exit("Set CLIENT_ID: the Application (client) ID of your API."),
    tenants=[os.environ.get("TENANT") or sys.exit("Set TENANT: the Directory (tenant) ID whose users may call.")],
    cloud=replace(entra.PUBLIC, authority=os.environ.get("AUTHORITY", entra.PUBLIC.authority)),  # not needed in production
)
settings.configure(
    SECRET_KEY=secrets.token_urlsafe(50),  # nothing here is signed with it
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "tokenward.middleware.django.BearerMiddleware"],
    TOKENWARD={"POLICY": policy, "EXEMPT": ["/health"]},
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
)


def jobs(request: HttpRequest) -> JsonResponse:
    user = request.identity
    return JsonResponse({"user": user.subject, "kind": user.kind, "tenant": request.claims["tid"]})


async def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"user": request.identity.subject})


def health(_: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [path("jobs", jobs), path("live", live), path("health", health)]
application = get_wsgi_application()
asgi = get_asgi_application()
