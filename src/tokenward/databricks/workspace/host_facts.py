"""What a workspace says of itself to anybody: the Entra tenant that it belongs to, and where its OAuth endpoints are.

Sources: databricks-sdk-py config.py (`/aad/auth`) and oauth.py (`/.well-known/databricks-config`);
learn.microsoft.com/entra/identity-platform/authentication-national-cloud for the clouds' hosts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from tokenward import entra
from tokenward.asking.steps import Answered, Steps, with_retries
from tokenward.databricks.answers import ATTEMPT_TIMEOUT, members_of
from tokenward.databricks.grant import unavailable
from tokenward.errors import PolicyError
from tokenward.keys.address import is_loopback_url, require_safe_url
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.validation import GUID

CLOUDS: Mapping[str, entra.Cloud] = {
    **dict.fromkeys(("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"), entra.PUBLIC),
    **dict.fromkeys(("login.microsoftonline.us", "login.usgovcloudapi.net"), entra.US_GOV),
    **dict.fromkeys(("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"), entra.CHINA),
}
"""Entra's hosts, old names included, and the cloud that each belongs to."""
ACCOUNT_PLACEHOLDER = "{account_id}"


@dataclass(frozen=True, slots=True)
class WorkspaceTenant:
    """The Entra tenant of a workspace: `entra.databricks(found.id, cloud=found.cloud)`."""

    id: str
    cloud: entra.Cloud


@dataclass(frozen=True, slots=True)
class HostMetadata:
    """What `/.well-known/databricks-config` says; None and () for what it does not.

    oidc_endpoint  the root of the OAuth endpoints; may hold "{account_id}" where one host serves several accounts
    audiences      what Databricks' SDKs ask identity providers for. A federation policy without audiences expects the account id
                   instead, so compare the two
    """

    oidc_endpoint: str
    account_id: str | None
    workspace_id: str | None
    cloud: str | None
    audiences: tuple[str, ...]


def tenant_steps(origin: str) -> Steps[WorkspaceTenant]:
    """Ask where a workspace sends people to sign in. Raises ExchangeUnavailable, and PolicyError if that is not Entra."""
    answer = yield from with_retries(FetchRequest(f"{origin}/aad/auth", ATTEMPT_TIMEOUT, fields={"Accept": "*/*"}))
    if _decides_nothing(answer) or isinstance(answer, FetchFailed):
        raise unavailable(answer, "the workspace could not be asked for its tenant")
    return read_tenant(answer)


def read_tenant(answer: FetchResponse) -> WorkspaceTenant:
    """The tenant in a redirect. Raises PolicyError; the redirect is not followed."""
    place = _place(answer.headers.get("location", "")) if 300 <= answer.status < 400 else None
    cloud = CLOUDS.get(place.hostname or "") if place is not None else None
    tenant = place.path.split("/")[1].lower() if place is not None and "/" in place.path else ""
    if cloud is None or not GUID.fullmatch(tenant):
        fix = "Give the host of an Azure Databricks workspace; those of other clouds have no Entra tenant."
        raise PolicyError("host", "its /aad/auth does not lead to a tenant at Entra", fix)
    return WorkspaceTenant(tenant, cloud)


def metadata_steps(origin: str) -> Steps[HostMetadata]:
    """Ask for the host's metadata. Raises ExchangeUnavailable, also for a host that has none."""
    fields = {"Accept": "application/json"}
    answer = yield from with_retries(FetchRequest(f"{origin}/.well-known/databricks-config", ATTEMPT_TIMEOUT, fields=fields))
    if isinstance(answer, FetchFailed) or answer.status != 200:
        raise unavailable(answer, "the host gave no metadata")
    return read_metadata(answer, loopback=is_loopback_url(origin))


def read_metadata(answer: FetchResponse, *, loopback: bool) -> HostMetadata:
    """The members that are known. Raises ExchangeUnavailable if the endpoint's address is missing, or none to call."""
    members = members_of(answer)
    endpoint = members.get("oidc_endpoint")
    if not isinstance(endpoint, str) or not _is_safe(endpoint, loopback):
        raise unavailable(answer, "the host's metadata has no usable oidc_endpoint")
    listed = members.get("token_federation_default_oidc_audiences")
    audiences = tuple(item for item in listed if isinstance(item, str)) if isinstance(listed, list) else ()
    account, workspace, cloud = (_text(members, name) for name in ("account_id", "workspace_id", "cloud"))
    return HostMetadata(endpoint.rstrip("/"), account, workspace, cloud, audiences)


def _decides_nothing(answer: Answered) -> bool:
    return answer.status is None or answer.status == 429 or answer.status >= 500


def _place(location: str) -> SplitResult | None:
    """An address without credentials; https, because none of Entra's hosts is this machine."""
    try:
        require_safe_url(location.partition("#")[0])
        return urlsplit(location)
    except ValueError:
        return None


def _is_safe(endpoint: str, loopback: bool) -> bool:
    try:
        require_safe_url(endpoint.replace(ACCOUNT_PLACEHOLDER, "account"), loopback=loopback)
    except ValueError:
        return False
    return True


def _text(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) and value else None
