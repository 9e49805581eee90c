"""Make the tokens, keys, logs and registrations of every incident again: python examples/incidents/make.py [FOLDER]

Each run has new keys, of which the private parts are never written, so the files differ and the verdicts do not. What a person
wrote (stories, answers, policies, a traceback) stays as it is. FOLDER is where the incidents are; by default where this file is.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import service_logs

from tokenward.testing import LocalIssuer, OidcIssuer
from tokenward.testing.graph import shapes
from tokenward.testing.graph.directory import Directory

TENANT = "5c1f0e7a-2b6d-4d38-9a47-0e6b8c3d2f11"
ORDERS = "b7d0a9c4-41f2-4c7e-8f35-6a1e2d9c0b58"
"""The client id of an API."""
STUCK = "3f9b6d20-5a8e-4c17-b0d4-92e1c7a65f38"
"""The client id of a caller that does not renew its token."""
ACCOUNT = "e2a47c19-8d3b-4f60-b1c5-7f9d0a6e3b24"
"""Of Databricks."""
MORNING = datetime.fromisoformat("2026-03-10T09:00:00Z").timestamp()
PERSON = {"preferred_username": "ada@example.com"}
PERSON_V1 = {"unique_name": "ada@example.com", "upn": "ada@example.com"}
LONG_AFTER = "2099-12-31T00:00:00Z"


def main(arguments: list[str]) -> int:
    """Write everything; 2 if the arguments make no sense."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent
    if len(arguments) > 1 or not folder.is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    for make in (_audience, _graph, _version, _clock, _federation, _groups, _registration, _keys, _logs):
        make(folder)
    return 0


def _entra() -> LocalIssuer:
    return LocalIssuer(TENANT, client_id=ORDERS, clock=lambda: MORNING)


def _audience(folder: Path) -> None:
    entra, here = _entra(), folder / "01-audience-form"
    _write(here, "token.jwt", entra.user_token("1.0", scopes=["Orders.Read"], claims=PERSON_V1))
    _write_json(here, "entra-keys.json", entra.jwks("1.0"))


def _graph(folder: Path) -> None:
    """Graph signs a header in which the nonce is hashed, so that the one that is sent does not fit the signature."""
    about = {"audience": "https://graph.microsoft.com", "scopes": ["User.Read", "openid", "profile"]}
    token = _entra().user_token("1.0", header={"nonce": secrets.token_urlsafe(24)}, claims=PERSON_V1, **about)  # type: ignore[arg-type]
    _write(folder / "02-graph-token", "token.jwt", token)


def _version(folder: Path) -> None:
    token = _entra().user_token("1.0", audience=ORDERS, scopes=["Orders.Read"], claims=PERSON_V1)
    _write(folder / "03-token-version", "token.jwt", token)


def _clock(folder: Path) -> None:
    idp, here = OidcIssuer("https://login.example.com/", clock=lambda: MORNING), folder / "04-slow-clock"
    token = idp.access_token("https://orders.example.com/", claims={"nbf": int(MORNING)})
    _write(here, "token.jwt", token)
    _write_json(here, "keys.json", idp.jwks())


def _federation(folder: Path) -> None:
    ci, here = OidcIssuer("https://ci.example.com/", clock=lambda: MORNING), folder / "05-exchange-refused"
    subject = "repo:orders/nightly:ref:refs/heads/main"
    _write(here, "token.jwt", ci.access_token("https://databricks.example.com", subject=subject, header={"typ": "JWT"}))
    policy = {"issuer": ci.issuer, "subject_claim": "sub", "jwks_json": json.dumps(ci.jwks())}
    name = f"accounts/{ACCOUNT}/federationPolicies/nightly-jobs"
    _write_json(here, "policies.json", {"policies": [{"name": name, "policy_id": "nightly-jobs", "oidc_policy": policy}]})


def _groups(folder: Path) -> None:
    """What Entra sends in place of more than 200 groups; source: its access-token-claims-reference."""
    user = f"https://graph.windows.net/{TENANT}/users/3a7e1c52-94bd-4f06-8b1e-c25d6f7a8093"
    source = {"src1": {"endpoint": f"{user}/getMemberObjects"}}
    overage: Mapping[str, object] = {"_claim_names": {"groups": "src1"}, "_claim_sources": source, **PERSON}
    _write(folder / "06-no-groups", "token.jwt", _entra().user_token(scopes=["Orders.Read"], claims=overage))


def _registration(folder: Path) -> None:
    """What `az` prints of an application that was once set up for single sign-on by SAML."""
    directory = Directory(TENANT)
    application, principal = directory.register(ORDERS, "orders")
    application["keyCredentials"] = [shapes.key_credential("AsymmetricX509Cert", "Verify", LONG_AFTER)]
    principal["keyCredentials"] = [
        shapes.key_credential("AsymmetricX509Cert", "Verify", LONG_AFTER),
        shapes.key_credential("Symmetric", "Sign", LONG_AFTER),
    ]
    directory.request(application, directory.databricks, ["user_impersonation"])
    here = folder / "08-no-token-at-all"
    _write_json(here, "app.json", application)
    _write_json(here, "sp.json", principal)
    _write_json(here, "databricks.json", directory.databricks)
    _write_json(here, "grants.json", [directory.consent(principal, directory.databricks, ["user_impersonation"])])


def _keys(folder: Path) -> None:
    """The private member is a text that is none: no real private key is in any file."""
    idp, here = OidcIssuer("https://login.example.com/"), folder / "09-published-keys"
    idp.rotate()
    old, new = idp.jwks()["keys"]
    leaked = {**new, "d": "bm90IGEgcHJpdmF0ZSBrZXk"}
    _write_json(here, "jwks.json", {"keys": [old, leaked]})


def _logs(folder: Path) -> None:
    _write(folder / "10-retry-storm", "app.log", service_logs.retry_storm(_entra(), STUCK))
    _write(folder / "11-night-of-the-keys", "app.log", service_logs.night_of_the_keys(OidcIssuer("https://login.example.com/")))


def _write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def _write_json(folder: Path, name: str, document: object) -> None:
    _write(folder, name, json.dumps(document, indent=2))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
