"""What is known of a token's signature, and what the issuer's published keys say about it."""

from __future__ import annotations

from tokenward.errors import TokenRejected
from tokenward.finding import Finding
from tokenward.keys.location import Static
from tokenward.token.algorithms import ALGORITHMS
from tokenward.token.compact import Compact
from tokenward.token.signature import check_signature
from tokenward.troubleshoot.explanation import sources
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.keys import Keys
from tokenward.troubleshoot.explanation.report import Check

NAME = "signature"
_NO_POLICY = "Give the policy of the service, and every check is run."

_REASONS = {
    "rsa_size": "its RSA key is too weak or too large (2048 to 8192 bits serve)",
    "private_key_published": "its private part is published, so anybody could have signed",
    "not_for_signatures": "it is published for encryption (use is not sig)",
    "not_for_verification": "its key_ops lack verify",
    "unknown_kty": "it is of a type that serves no signature (a secret, or an unknown kty)",
    "curve_not_supported": "its curve is not supported",
    "alg_not_supported": "its alg is not supported, or not its type's",
    "key_malformed": "it cannot be read",
    "rsa_exponent": "its RSA exponent is not acceptable",
}
_GIVEN = (
    "The policy itself holds the issuer's keys (jwks, jwks_file or jwks_json), and this one is not among them: the issuer has "
    "probably rotated since. Put in what its jwks_uri answers now, or leave them out, so that keys are fetched."
)
_FETCH_FIXES = {
    "dns": "The host name of the keys' address does not resolve here; check it, and this machine's DNS.",
    "tls": "The server's certificate is not accepted; a proxy may intercept TLS, so add its CA (SSL_CERT_FILE).",
    "metadata": "The discovery document is of another issuer; compare its issuer with the policy's, to the letter.",
    "no_keys": "No published key can be used; ask the issuer.",
    "not_json": "Something else than the issuer answered; look for a login page or a proxy.",
    "redirect": "Redirects are not followed; give the address that it leads to.",
    "status": "The issuer answered with an error; check the address (tenant, discovery_url), and the issuer's status page.",
}


def signature_check(case: Case, compact: Compact, keys: Keys | None) -> Check:
    """The check of the signature, as far as keys are there."""
    if keys is None or case.nearest is None or case.policy is None:
        return _open("by a published key", _why_no_keys(case), _NO_POLICY if case.policy is None else "")
    expected = "by a published key"
    if keys.failure is not None:
        fix = _FETCH_FIXES.get(keys.failure.kind, "Check the network, the firewall and the proxy settings, and try again.")
        seen = f"not checked: the keys could not be fetched ({keys.failure.kind})"
        return _open(expected, seen, f"{fix} The policy's address of the keys: {keys.source.name}")
    if not keys.asked:
        return _open(expected, "not checked: offline", "Try again without --offline (offline=True).")
    if compact.header.alg not in ALGORITHMS or not isinstance(case.claims.get("iss"), str):
        return _open(expected, "not checked: the token cannot be anybody's", "")
    return _checked(case, compact, keys, expected)


def _checked(case: Case, compact: Compact, keys: Keys, expected: str) -> Check:
    if case.policy is None or case.nearest is None:
        return _open(expected, "not checked", "")
    kid = compact.header.kid
    fitting = keys.source.in_hand(kid, case.now) or ()
    try:
        check_signature(compact, fitting, case.nearest.route, case.policy, keys.source.cloud_instance_name)
    except TokenRejected as rejection:
        fix, source = _advice(case, rejection, keys, kid)
        return Check(Finding(NAME, expected, rejection.reason, False, fix, source), rejection.code)
    return Check(Finding(NAME, expected, "it holds", True))


def _why_no_keys(case: Case) -> str:
    if case.policy is None:
        return "not checked: no policy says whose keys count"
    return "not checked: the issuer is not the policy's, so its keys are not asked for"


def _open(expected: str, seen: str, fix: str) -> Check:
    return Check(Finding(NAME, expected, seen, None, fix))


def _advice(case: Case, rejection: TokenRejected, keys: Keys, kid: str | None) -> tuple[str, str]:
    if case.header.nonce:
        return (
            "Microsoft Graph signs another header than it sends, so that nobody else can verify its tokens.",
            sources.ACCESS_TOKENS,
        )
    if rejection.code == "unknown_key":
        return _unknown(case, keys, kid), sources.ROLLOVER if case.entra else "RFC 7517 section 4.5"
    if rejection.code == "key_not_for_issuer":
        fix = (
            "The key that signed is bound to another issuer, tenant or cloud, so check the authority at which the client signs in"
        )
        return f"{fix}, and the policy's cloud; if both are right, treat it as a forgery.", sources.ACCESS_TOKENS
    return (
        "The token was changed after it was signed, cut, or forged. Copy it again from where it was issued; if it repeats, "
        "treat it as an attack."
    ), "RFC 7515 section 5.2"


def _unknown(case: Case, keys: Keys, kid: str | None) -> str:
    """Why none of the published keys serves."""
    reasons = {reason for name, reason in keys.unusable if name == kid}
    if kid is not None and reasons:
        why = ", ".join(_REASONS.get(reason, reason) for reason in sorted(reasons))
        return f"The issuer publishes the key that the token names, and it cannot be used: {why}. Tell the issuer."
    if kid is None:
        return "The token names no key (kid), and the issuer publishes several. Have the issuer send kid."
    if keys.source.in_hand(kid, case.now):
        return "The key that the token names is of another type than its alg. Ask the issuer."
    if isinstance(case.issuer.location, Static):
        return _GIVEN
    ended = case.claims.get("exp")
    if isinstance(ended, (int, float)) and ended <= case.now:
        return "The key has been withdrawn, as the token is old: the issuer has rotated its keys since. Get a new token."
    told = (
        "The issuer does not publish this key now: it has rotated or withdrawn it since, or the token is of another issuer, "
        "cloud or environment. Get a new token; if it repeats, compare iss and the address of the keys."
    )
    own = " An API with signing keys of its own publishes them at the metadata address with ?appid=<client id>."
    return f"{told}{own}" if case.entra else told
