"""Redirect URIs, identifier URIs, and the version of the tokens that the application gets as an API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from tokenward.finding import Finding
from tokenward.troubleshoot.registration.facts import Question, Registration, Unread
from tokenward.troubleshoot.registration.members import Object, member, text, texts
from tokenward.troubleshoot.registration.words import ENTRA, few, judged, steps, unread

PLATFORMS = {"web": "Web", "spa": "Single-page application", "publicClient": "Mobile and desktop"}
MAX_REDIRECT_CHARS = 256
MAX_IDENTIFIER_CHARS, MAX_IDENTIFIER_CHARS_PERSONAL = 255, 120
"""learn.microsoft.com/entra/identity-platform/reply-url and /supported-accounts-validation."""

_REPLY_URL = f"{ENTRA}/reply-url"
_VERSIONS, _IDENTIFIERS = f"{ENTRA}/access-tokens", f"{ENTRA}/supported-accounts-validation"
_SPECIAL = re.compile(r"[!$'(),;]")
_PERSONAL = ("AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount")
_FORM = "https, or http on localhost; no wildcard, fragment or special character"


def addresses(registration: Registration, question: Question) -> list[Finding]:
    """The forms of all redirect URIs, the one that the client sends, the token version and the identifier URIs."""
    application = registration.application
    if application is None:
        return _of_the_principal(registration, question)
    if isinstance(application, Unread):
        found = [unread("redirect URIs", _FORM, application, _REPLY_URL)]
        if question.redirect_uri is not None:
            found.append(unread("redirect URI", f"{question.redirect_uri} is registered", application, _REPLY_URL))
        found.append(unread("token version", "1, 2 or not set", application, _VERSIONS))
        return [*found, unread("identifier URIs", "no wildcard", application, _IDENTIFIERS)]
    registered = {uri: name for key, name in PLATFORMS.items() for uri in texts(application, key, "redirectUris")}
    found = [_forms(list(registered))]
    if question.redirect_uri is not None:
        found.append(_sent(question.redirect_uri, registered))
    return [*found, _version(application), _identifiers(application)]


def _of_the_principal(registration: Registration, question: Question) -> list[Finding]:
    """An application of another tenant: its service principal has the redirect URIs, without their platforms."""
    if not isinstance(registration.principal, Mapping):
        return []
    registered = dict.fromkeys(texts(registration.principal, "replyUrls"), "platform not known here")
    return [_forms(list(registered)), *([_sent(question.redirect_uri, registered)] if question.redirect_uri is not None else [])]


def _forms(registered: list[str]) -> Finding:
    wrong = [uri for uri in registered if not _is_fine(uri)]
    fix = "Change it in App registrations > the application > Authentication, and in the client."
    seen = few(wrong) if wrong else f"{len(registered)} registered"
    return judged("redirect URIs", _FORM, seen, not wrong, fix, _REPLY_URL)


def _is_fine(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    plain_http = parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")
    odd = "*" in uri or "#" in uri or _SPECIAL.search(uri)
    return bool(parts.scheme) and len(uri) <= MAX_REDIRECT_CHARS and not plain_http and not odd


def _sent(sent: str, registered: Mapping[str, str]) -> Finding:
    """Entra compares to the letter, but for the port of a localhost address (reply-url)."""
    name, expected = "redirect URI", f"{sent} is registered"
    found = next((uri for uri in registered if _without_port(uri) == _without_port(sent)), None)
    if found is not None:
        return judged(name, expected, f"registered as {registered[found]}", True, "", _REPLY_URL)
    near = next((uri for uri in registered if _loose(uri) == _loose(sent)), None)
    closest = "" if near is None else f" Registered is {near}: every letter, slash and scheme counts."
    fix = steps(
        f"Have the client send one of those that are registered, or add it.{closest}",
        "App registrations > the application > Authentication, on the client's platform: Web for servers; a server cannot redeem"
        " a code that was given to a single-page application (AADSTS9002327).",
    )
    return judged(name, expected, few(list(registered)) or "none is registered", False, fix, _REPLY_URL)


def _without_port(uri: str) -> str:
    parts = urlsplit(uri) if _is_fine(uri) else None
    if parts is None or parts.scheme != "http":
        return uri
    return f"http://{parts.hostname}{parts.path}{'?' if parts.query else ''}{parts.query}"


def _loose(uri: str) -> str:
    return uri.lower().rstrip("/").removeprefix("https").removeprefix("http")


def _version(application: Object) -> Finding:
    """`null` means 1; applications for personal accounts must say 2."""
    asked = member(application, "api").get("requestedAccessTokenVersion")
    personal = text(application, "signInAudience") in _PERSONAL
    version = asked if isinstance(asked, int) and not isinstance(asked, bool) else None
    held = version == 2 if personal else asked is None or version in (1, 2)
    seen = "not set, which means 1" if asked is None else asked
    expected = "2, because personal accounts may sign in" if personal else "1, 2 or not set; the API's policy must accept it"
    fix = "Set api.requestedAccessTokenVersion to 2: App registrations > the application > Manifest."
    return judged("token version", expected, seen, held, fix, _VERSIONS)


def _identifiers(application: Object) -> Finding:
    uris = texts(application, "identifierUris")
    personal = text(application, "signInAudience") in _PERSONAL
    most = MAX_IDENTIFIER_CHARS_PERSONAL if personal else MAX_IDENTIFIER_CHARS
    wrong = [
        uri for uri in uris if len(uri) > most or "*" in uri or (personal and (uri.startswith("urn:") or set(uri) & set("?#")))
    ]
    expected = f"no wildcard, at most {most} characters" + ("; no urn:, query or fragment" if personal else "")
    fix = "Change it in App registrations > the application > Expose an API > Application ID URI."
    return judged("identifier URIs", expected, few(wrong or uris) or "none", not wrong, fix, _IDENTIFIERS)
