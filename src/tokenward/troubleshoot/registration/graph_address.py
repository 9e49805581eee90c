"""Where Microsoft Graph is, in each cloud.

Source: learn.microsoft.com/graph/deployments. The Department of Defense's own (dod-graph.microsoft.us) is given as an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from tokenward import validation
from tokenward.errors import PolicyError

GRAPHS: Mapping[str, str] = MappingProxyType(
    {
        "public": "https://graph.microsoft.com",
        "us-gov": "https://graph.microsoft.us",
        "china": "https://microsoftgraph.chinacloudapi.cn",
    }
)
"""By the name of the cloud. That of China is documented, but no answer of it was seen."""


def graph_root(value: object) -> str:
    """Scheme and host of a Graph; http only on this machine. Raises PolicyError."""
    url = validation.address("graph", value)
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query:
        raise PolicyError("graph", "it has a path or a query", "Give scheme and host only, such as 'https://graph.microsoft.us'.")
    return f"{parts.scheme}://{parts.netloc}"
