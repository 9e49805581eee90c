"""Paths of Databricks' APIs that make credentials or show some, which would work past the gateway and outlive the caller's token.

A path is named by its segments, wherever they stand: what is a secret in one version of an API is one in the next. So something
of yours that is named like one of them (an app `accounts`) is taken for one.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

_SEGMENTS = (
    # Personal access tokens, secrets of scopes and of Unity Catalog, passwords of Postgres roles; temporary, storage, service,
    # git and database credentials; and who may use tokens at all (permissions/authorization/tokens). By the last word.
    r"(?:[a-z0-9_-]*[_-])?(?:credential|password|secret|token)s?",
    r"token-management|tokeninfo|credentials-manager",
    # The account's API, through the workspace, too: OAuth secrets, federation policies, rule sets, principals.
    r"accounts|service-?principals|federation-?policies",
    # Delta Sharing and the marketplace hand out bearer tokens (service/sharing.py, service/marketplace.py: bearer_token).
    r"recipients|providers|data_sharing_activation(?:_info)?|installations",
)
"""Source: all paths and answers in databricks-sdk-py 0.156 (service/*.py)."""

_NAMED = re.compile(rf"[/\\][ .+]*(?:{'|'.join(_SEGMENTS)})[ .+]*(?![^/\\;:?#])")
"""Spaces and dots around a name, and what comes behind these signs, are passed over by one server or another."""


def names_credentials(path: str) -> bool:
    """Whether a normalised path names credentials, in whatever case and spelling a server might see through.

    It is no proof that another path names none.
    """
    plain = path
    if "%" in path:
        plain = unicodedata.normalize(
            "NFKD", unquote(unquote(path))
        ).upper()  # upper: of some letters the small form alone is ASCII's
        plain = plain.encode("ascii", "ignore").decode("ascii")
    return _NAMED.search(plain.lower()) is not None
