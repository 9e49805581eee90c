"""What Entra's claims say of a token: version, cloud and kind of directory.

Sources: learn.microsoft.com/entra/identity-platform/access-token-claims-reference and /authentication-national-cloud; of
External ID (CIAM) and Azure AD B2C, issuers of recorded tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

Directory: TypeAlias = Literal["workforce", "b2c", "ciam"]

CLOUD_OF_HOST: Mapping[str, str] = MappingProxyType(
    {
        "sts.windows.net": "public",
        "login.microsoftonline.com": "public",
        "login.microsoftonline.us": "us-gov",
        "sts.chinacloudapi.cn": "china",
        "login.partner.microsoftonline.cn": "china",
        "login.chinacloudapi.cn": "china",
    }
)
"""The host of an issuer, and its cloud. v1 tokens of US Gov are said to have the public cloud's."""
CIAM_ZONE = ".ciamlogin.com"
"""What the hosts of External ID end in."""
PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of personal Microsoft accounts."""
MAX_ISSUER = 500
"""Characters of an `iss` that is looked at."""

_GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_WORKFORCE = re.compile(rf"https://([a-z.]+)/({_GUID})(/v2\.0|/|/v2\.0/)?")
_CIAM = re.compile(rf"https://[a-z0-9-]+{re.escape(CIAM_ZONE)}/({_GUID})(/v2\.0)?/?")
_B2C = re.compile(rf"https://[^/]+/(?:tfp/)?({_GUID})/(?:[^/]+/)?v2\.0/")


@dataclass(frozen=True, slots=True)
class EntraIssuer:
    """What an `iss` says. `version` and `cloud` are None where it does not tell."""

    directory: Directory
    tenant: str
    version: str | None
    cloud: str | None


def entra_issuer(iss: object) -> EntraIssuer | None:
    """The parts of an issuer of Entra; None for everybody else's."""
    if not isinstance(iss, str) or len(iss) > MAX_ISSUER:
        return None
    lowered = iss.lower()
    if found := _CIAM.fullmatch(lowered):
        return EntraIssuer("ciam", found[1], "2.0", "public")
    if (found := _WORKFORCE.fullmatch(lowered)) and found[1] in CLOUD_OF_HOST:
        version = "2.0" if found[1].startswith("login.") else "1.0"
        return EntraIssuer("workforce", found[2], version, CLOUD_OF_HOST[found[1]])
    if (found := _B2C.fullmatch(lowered)) and ("b2clogin." in lowered or "/tfp/" in lowered):
        return EntraIssuer("b2c", found[1], "2.0", None)
    return None
