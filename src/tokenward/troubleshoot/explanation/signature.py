"""What is known of a token's signature, and what the issuer's published keys say about it."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tokenward.errors import TokenRejected
from tokenward.finding import Finding
from tokenward.judging.source import source_of
from tokenward.keys.location import Static
from tokenward.keys.port import FetchFailed
from tokenward.policy import Policy, Route
from tokenward.token.algorithms import ALGORITHMS, PublicKey
from tokenward.token.compact import Compact
from tokenward.token.signature import check_signature
from tokenward.troubleshoot.explanation import sources
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.keys import Keys
from tokenward.troubleshoot.explanation.report import Check
from tokenward.troubleshoot.keyreport.next_step import next_step, verdict_of
from tokenward.troubleshoot.keyreport.why import why

NAME = "signature"
_EXPECTED = "by a published key"
_WHOLE = "Copy it again as a whole; if the whole token says the same, another key has signed it: treat it as an attack."
_NO_POLICY = "Give the policy of the service, and every check is run."

_GIVEN = (
    "The policy itself holds the issuer's keys (jwks, jwks_file or jwks_json), and this one is not among them: the issuer has "
    "probably rotated since. Put in what its jwks_uri answers now, or leave them out, so that keys are fetched."
)

_GIVEN_NAMELESS = (
    "A key of the policy's own has no kid, and is never tried with a token that names its key: put in what the issuer's jwks_uri "
    "answers, kid included."
)

_NAMELESS = (
    "No published key has this kid, and at least one has none: a token that names its key is never tried with that one. Have the "
    "issuer publish kid."
)

_NONCE = (
    "Entra signs tokens for Microsoft's own services (nonce in the header) over another header than it sends, so that nobody "
    "but that service can verify them."
)


def signature_check(case: Case, compact: Compact, keys: Keys | None) -> Check:
    """The check of the signature, as far as keys are there."""
    if keys is None or case.nearest is None or case.policy is None:
        return _open(_why_no_keys(case), _NO_POLICY if case.policy is None else "")
    if keys.failure is not None:
        fix = next_step(keys.failure, verdict_of(keys.failure, any_usable=False))
        return _open(_why_no_usable(keys, keys.failure), f"{fix} The policy's address of the keys: {keys.source.name}")
    if not keys.asked:
        return _open("not checked: offline", "Explain it again, and not offline, so that the keys are fetched.")
    if compact.header.alg not in ALGORITHMS or not isinstance(case.claims.get("iss"), str):
        return _open("not checked: the token cannot be anybody's", "")
    return _checked(case, compact, keys, case.nearest.route, case.policy)


def _checked(case: Case, compact: Compact, keys: Keys, route: Route, policy: Policy) -> Check:
    kid = compact.header.kid
    fitting = keys.source.in_hand(kid, case.now) or ()
    try:
        check_signature(compact, fitting, route, policy, keys.source.cloud_instance_name)
    except TokenRejected as rejection:
        fix, source = _advice(case, compact, rejection, keys)
        return Check(Finding(NAME, _EXPECTED, rejection.reason, False, fix, source), rejection.code)
    return Check(Finding(NAME, _EXPECTED, "it holds", True))


def _why_no_keys(case: Case) -> str:
    if case.policy is None:
        return "not checked: no policy says whose keys count"
    return "not checked: the issuer is not the policy's, so its keys are not asked for"


def _why_no_usable(keys: Keys, failure: FetchFailed) -> str:
    if failure.kind != "no_keys":
        return f"not checked: the keys could not be fetched ({failure.kind})"
    reasons = ", ".join(sorted({why(reason) for _, reason in keys.unusable}))
    return f"not checked: the keys were fetched, and none is usable{': ' if reasons else ''}{reasons}"


def _open(seen: str, fix: str) -> Check:
    return Check(Finding(NAME, _EXPECTED, seen, None, fix))


def _advice(case: Case, compact: Compact, rejection: TokenRejected, keys: Keys) -> tuple[str, str]:
    kid = compact.header.kid
    if case.header.nonce and case.entra is not None:
        return _NONCE, sources.ACCESS_TOKENS
    if rejection.code == "unknown_key":
        return _unknown(case, keys, kid), sources.ROLLOVER if case.entra else "RFC 7517 section 4.5"
    if rejection.code == "key_not_for_issuer":
        fix = (
            "The key that signed is bound to another issuer, tenant or cloud, so check the authority at which the client signs in"
        )
        return f"{fix}, and the policy's cloud; if both are right, treat it as a forgery.", sources.ACCESS_TOKENS
    if told := _length_differs(case, compact, keys, kid):
        return told, source_of(NAME)
    return (
        "The token was changed after it was signed, cut, or forged. Copy it again from where it was issued; if it repeats, "
        "treat it as an attack."
    ), source_of(NAME)


def _length_differs(case: Case, compact: Compact, keys: Keys, kid: str | None) -> str:
    """That the signature is shorter or longer than the key's are; empty where it is as long."""
    algorithm, has = ALGORITHMS[compact.header.alg], len(compact.signature)
    sizes = {signature_size(key.public_key) for key in keys.source.in_hand(kid, case.now) or () if key.serves(algorithm)}
    if len(sizes) != 1 or has in sizes:
        return ""
    size = min(sizes)
    what = "the token is cut at its end" if has < size else "there is something too many at the token's end"
    return f"The signature has {has} of {size} bytes: {what}. {_WHOLE}"


def signature_size(key: PublicKey) -> int:
    """Bytes of this key's signatures (RFC 7518 sections 3.3 and 3.4, RFC 8032 sections 5.1.6 and 5.2.6)."""
    if isinstance(key, RSAPublicKey):
        return (key.key_size + 7) // 8
    if isinstance(key, EllipticCurvePublicKey):
        return 2 * ((key.key_size + 7) // 8)
    return 64 if isinstance(key, Ed25519PublicKey) else 114


def _unknown(case: Case, keys: Keys, kid: str | None) -> str:
    """Why none of the published keys serves."""
    reasons = {reason for name, reason in keys.unusable if name == kid}
    if kid is not None and reasons:
        said = ", ".join(why(reason) for reason in sorted(reasons))
        return f"The issuer publishes the key that the token names, and it cannot be used: {said}. Tell the issuer."
    if kid is None:
        return "The token names no key (kid), and the issuer publishes several. Have the issuer send kid."
    if named := keys.source.in_hand(kid, case.now):
        fits = any(ALGORITHMS[case.header.alg].fits(key.kty, key.curve) for key in named)
        told = "is published for another alg than the token's (alg in the key set)" if fits else "is of another type than its alg"
        return f"The key that the token names {told}. Ask the issuer."
    is_nameless = (None, "kid_missing") in keys.unusable
    if isinstance(case.issuer.location, Static):
        return _GIVEN_NAMELESS if is_nameless else _GIVEN
    if is_nameless:
        return _NAMELESS
    ended = case.claims.get("exp")
    if isinstance(ended, (int, float)) and ended <= case.now:
        return "The key has been withdrawn, as the token is old: the issuer has rotated its keys since. Get a new token."
    told = (
        "The issuer does not publish this key now: it has rotated or withdrawn it since, or the token is of another issuer, "
        "cloud or environment. Get a new token; if it repeats, compare iss and the address of the keys."
    )
    own = " An API with signing keys of its own publishes them at the metadata address with ?appid=<client id>."
    return f"{told}{own}" if case.entra else told
