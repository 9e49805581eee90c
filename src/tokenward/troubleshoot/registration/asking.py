"""GETs of Microsoft Graph, as steps: an object, a whole list page by page, and what a refusal means. Nothing is ever changed.

Sources: learn.microsoft.com/graph/errors, /graph/resolve-auth-errors, /graph/paging, /graph/throttling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from tokenward.asking.steps import Answered, Steps, with_retries
from tokenward.keys.address import require_safe_url
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.token.strict import parse_unique_object
from tokenward.troubleshoot.registration.facts import One, Several, Unread
from tokenward.troubleshoot.registration.members import Object, objects, text

ATTEMPT_TIMEOUT = 15.0
"""Seconds for one request; the total deadline is the driver's."""
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""The largest service principal there is, Graph's own, is about 1 MB with all its permissions."""
MAX_ANSWER_PARTS = 200_000
"""Brackets and commas; the same object has some 20,000."""
MAX_PAGES = 20
"""Of 100 objects: a client with more than 2,000 consents or assignments is judged by these."""

_GET_ONE = "Use `az account get-access-token --resource-type ms-graph --query accessToken -o tsv`."


@dataclass(frozen=True, slots=True)
class Graph:
    """Where Graph is, and the token to ask it with, which is in no repr."""

    root: str
    token: str = field(repr=False)

    def request(self, url: str) -> FetchRequest:
        fields = {"Accept": "application/json", "Authorization": f"Bearer {self.token}"}
        return FetchRequest(url, ATTEMPT_TIMEOUT, limit=MAX_ANSWER_BYTES, fields=fields)

    def url(self, path: str, **options: str) -> str:
        """The address of a path; options without their "$"."""
        query = "&".join(f"${name}={quote(value, safe='')}" for name, value in options.items())
        return f"{self.root}/v1.0/{path}{'?' if query else ''}{query}"


def read_one(graph: Graph, url: str, permission: str) -> Steps[One]:
    """One object, None if it does not exist. `permission` is the least that Graph asks for."""
    answer = yield from with_retries(graph.request(url))
    if isinstance(answer, FetchResponse) and answer.status == 404 and _code(answer) == "Request_ResourceNotFound":
        return None
    return _document(answer, permission)


def read_all(graph: Graph, url: str, permission: str) -> Steps[Several]:
    """A list with all its pages, which must be at the same host, because each is asked for with the token."""
    found: list[Object] = []
    for _ in range(MAX_PAGES):
        page = yield from read_one(graph, url, permission)
        if page is None or isinstance(page, Unread):
            return page or Unread("Graph does not know the list", "Try again; it may have changed in the meantime.")
        found += objects(page, "value")
        next_page = text(page, "@odata.nextLink")
        if next_page is None:
            return found
        if not _is_graphs(graph, next_page):
            return Unread("Graph names a next page at another host, which is not asked", "Check the address given with --graph.")
        url = next_page
    return Unread(f"the list has more than {MAX_PAGES} pages", "Look it up in the portal, by the client's name.")


def _is_graphs(graph: Graph, url: str) -> bool:
    """Whether it is the same host, and an address of its API, without anything that a client could read otherwise."""
    try:
        require_safe_url(url)
    except ValueError:
        return False
    return url.startswith(f"{graph.root}/v1.0/")  # the slash behind the root ends the host for every client


def _document(answer: Answered, permission: str) -> One:
    if isinstance(answer, FetchFailed):
        return _failed(answer)
    if answer.status != 200:
        return _refused(answer, permission)
    try:
        return parse_unique_object(answer.body, most=MAX_ANSWER_PARTS)
    except ValueError as exc:
        return Unread(f"Graph's answer is {exc}", "Check the address given with --graph; a proxy may have answered.")


def _failed(failure: FetchFailed) -> Unread:
    if failure.kind == "too_large":
        return Unread(f"Graph's answer is larger than {MAX_ANSWER_BYTES} bytes", "Check the address given with --graph.")
    return Unread(f"Graph could not be asked ({failure})", "Check the network, the proxy and --graph, and try again.")


def _refused(answer: FetchResponse, permission: str) -> Unread:
    seen = f"HTTP {answer.status}{_named(_code(answer))}"
    match answer.status:
        case 401:
            return Unread(f"Graph does not take the token ({seen})", f"Get a new token for Graph, of this cloud. {_GET_ONE}")
        case 403:
            fix = (
                f"Grant the token's application {permission}, with an administrator's consent, or ask as a user who may read it."
            )
            return Unread(f"the token lacks a permission ({seen})", fix)
        case 404:
            return Unread(f"this is not Microsoft Graph ({seen})", "Check the address given with --graph.")
        case 429 | 500 | 502 | 503 | 504:
            return Unread(f"Graph cannot answer now ({seen})", "Try again later; Graph says nothing of the registration.")
        case _:
            return Unread(f"Graph refuses the question ({seen})", "Check --graph and --cloud.")


def _code(answer: FetchResponse) -> str:
    try:
        error = parse_unique_object(answer.body, most=MAX_ANSWER_PARTS).get("error")
    except ValueError:
        return ""
    code = text(error, "code") if isinstance(error, Mapping) else None
    return code[:100] if code is not None and code.isascii() and code.replace("_", "").isalnum() else ""


def _named(code: str) -> str:
    return f", {code}" if code else ""
