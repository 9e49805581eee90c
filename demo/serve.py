"""`--serve`: everything stays up, with curl lines to try, until Ctrl-C."""

from __future__ import annotations

import time
import urllib.request

from demo.processes import Event
from demo.run import progress
from demo.stage import Stage

LINES = """\
The app is at {app}, its tokens come from {issuer} (signs anything: not for production).
Copy and paste into another terminal; what the app logs appears here.
{proxy}
# a good token, and what the app learns from it
TOKEN=$(curl -sS -d '{{"kind": "user"}}' {issuer}/control/mint | cut -d'"' -f4)
curl -sSi -H "Authorization: Bearer $TOKEN" {app}/jobs/good; echo

# no token, a token that expired, a token for another service
curl -sSi {app}/jobs/none; echo
BAD=$(curl -sS -d '{{"lifetime": -60}}' {issuer}/control/mint | cut -d'"' -f4)
curl -sSi -H "Authorization: Bearer $BAD" {app}/jobs/expired; echo
BAD=$(curl -sS -d '{{"audience": "https://graph.microsoft.com"}}' {issuer}/control/mint | cut -d'"' -f4)
curl -sSi -H "Authorization: Bearer $BAD" {app}/jobs/graph; echo

# rotate: a token of the new key is good, after the short pause that the app makes between fetches, and the old one stays good
curl -sS -d '{{}}' {issuer}/control/rotate; echo
NEW=$(curl -sS -d '{{"kind": "app"}}' {issuer}/control/mint | cut -d'"' -f4); sleep 2
curl -sSi -H "Authorization: Bearer $NEW" {app}/jobs/new-key; echo
curl -sSi -H "Authorization: Bearer $TOKEN" {app}/jobs/old-key; echo

# fail: a known key stays good, an unknown one is answered 503
UNKNOWN=$(curl -sS -d '{{"header": {{"kid": "unknown"}}}}' {issuer}/control/mint | cut -d'"' -f4)
curl -sS -o /dev/null -d '{{"mode": "status", "status": 503}}' {issuer}/control/fail; sleep 2
curl -sSi -H "Authorization: Bearer $TOKEN" {app}/jobs/known-key; echo
curl -sSi -H "Authorization: Bearer $UNKNOWN" {app}/jobs/unknown-key; echo

# recover
curl -sS -o /dev/null -d '{{}}' {issuer}/control/recover

# how the app's keys are
curl -sS {app}/status; echo

Ctrl-C stops everything."""


def serve(app: str) -> None:
    """Serve until a signal is raised as KeyboardInterrupt. Raises DemoError if a process ends by itself."""
    progress("Starting the local issuer and the guarded app ...")
    with Stage(app, on_event=_show) as stage:
        print(LINES.format(app=stage.app_url, issuer=stage.issuer_url, proxy=_no_proxy()), flush=True)
        while stage.issuer.running and stage.app.running:
            time.sleep(0.1)
        ended = stage.app if stage.issuer.running else stage.issuer
        raise ended.failure("ended by itself")


def _show(event: Event) -> None:
    """One event of the app's log in one line, with the fields that explain."""
    if event.get("event") == "keys_refreshed" and not (event.get("added") or event.get("removed")):
        return  # as every three seconds here
    named = ("code", "path", "reason", "expected", "seen", "issuer", "kid", "why", "kind", "keys", "added", "key_age", "hint")
    fields = "  ".join(f"{name}={event[name]}" for name in named if name in event)
    progress(f"{event.get('level', ''):<8}{event.get('event')}  {fields}")


def _no_proxy() -> str:
    """curl would send even a loopback address to a proxy of the environment."""
    proxies = urllib.request.getproxies_environment()
    return "export no_proxy=127.0.0.1\n" if proxies.keys() & {"http", "all"} else ""
