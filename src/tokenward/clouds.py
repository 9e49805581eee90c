"""Entra's clouds: where each publishes its metadata, and how it writes its issuers.

Source of the hosts: learn.microsoft.com/entra/identity-platform/authentication-national-cloud.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from tokenward import validation
from tokenward.errors import PolicyError
from tokenward.issuer_name import is_template, issuer_name


@dataclass(frozen=True, slots=True)
class Cloud:
    """One Entra cloud: where its metadata is, and how its issuers are written.

    authority             where discovery happens: scheme and host, and no path
    v1_issuer, v2_issuer  `iss` of its v1 and v2 tokens, with "{tenantid}" for the tenant
    instance_name         what `cloud_instance_name` says in its keys; None takes it from the metadata

    Raises PolicyError. Nothing is fetched here.
    """

    authority: str
    v1_issuer: str
    v2_issuer: str
    instance_name: str | None = None

    def __post_init__(self) -> None:
        _require_origin("authority", self.authority)
        _require_template("v1_issuer", self.v1_issuer)
        _require_template("v2_issuer", self.v2_issuer)
        if self.v1_issuer == self.v2_issuer:
            raise PolicyError("v2_issuer", "it is the v1_issuer as well", "Copy the issuer of .../v2.0's own metadata.")
        if self.instance_name is not None:
            validation.text("instance_name", self.instance_name, "'microsoftonline.com', or leave it out")


def _require_origin(field: str, value: object) -> None:
    url = validation.address(field, value)
    parts = urlsplit(url)
    if url != f"{parts.scheme}://{parts.netloc}":
        fix = "Give scheme and host only, such as 'https://login.microsoftonline.com'."
        raise PolicyError(field, "it holds more than scheme and host, if only a slash", fix)


def _require_template(field: str, value: object) -> None:
    if not is_template(issuer_name(field, value)):
        fix = "Put {tenantid} in place of the tenant id, such as 'https://sts.windows.net/{tenantid}/'."
        raise PolicyError(field, "it holds no {tenantid}", fix)


PUBLIC = Cloud(
    "https://login.microsoftonline.com",
    "https://sts.windows.net/{tenantid}/",
    "https://login.microsoftonline.com/{tenantid}/v2.0",
    "microsoftonline.com",
)
"""The worldwide cloud."""
US_GOV = Cloud(
    "https://login.microsoftonline.us",
    "https://sts.windows.net/{tenantid}/",
    "https://login.microsoftonline.us/{tenantid}/v2.0",
    "microsoftonline.us",
)
"""Azure Government.

Not verified: both issuers are constants of Microsoft's code, and no recorded token of this cloud was seen. Compare the `iss`
of a token of yours, above all of a v1 token; if it differs, make a Cloud of your own.
"""
CHINA = Cloud(
    "https://login.partner.microsoftonline.cn",
    "https://sts.chinacloudapi.cn/{tenantid}/",
    "https://login.partner.microsoftonline.cn/{tenantid}/v2.0",
)
"""Azure operated by 21Vianet. Some clients still use the authority login.chinacloudapi.cn.

Not verified: both issuers are constants of Microsoft's code, and no recorded token of this cloud was seen; nor was the name
that its keys give as `cloud_instance_name`, so it is taken from the metadata.
"""
NAMED: Mapping[str, Cloud] = MappingProxyType({"public": PUBLIC, "us-gov": US_GOV, "china": CHINA})
"""Each by the name that options and settings have for it, in the order in which they are listed."""
