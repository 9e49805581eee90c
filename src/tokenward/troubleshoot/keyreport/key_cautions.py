"""What is wrong with published keys: one check per flaw, each over every key of the set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tokenward.keys.jwk import PRIVATE_MEMBERS
from tokenward.keys.keyset import MAX_KEYS
from tokenward.redaction import shown
from tokenward.token.algorithms import ALGORITHMS
from tokenward.troubleshoot.keyreport.caution import Caution, caution
from tokenward.troubleshoot.keyreport.key_row import Judged

NEAR = 0.8
"""Of a bound: from here on it is worth a warning."""

_NO_KID = "(no kid)"
_NOT_A_KIND_OF_OURS = ("unknown_kty", "curve_not_supported")


def key_cautions(keys: Sequence[Judged], algorithms: Sequence[str], now: float) -> list[Caution]:
    """Every flaw that some key has, and those of the set.

    algorithms  that the policy allows
    now         epoch seconds, for certificates
    """
    found = [_of_keys(name, check, keys, now) for name, check in CHECKS.items()]
    found += [_repeated(keys), _not_served(keys, algorithms), _many(keys)]
    return [one for one in found if one is not None]


Check = Callable[[Judged, float], str]
"""What is seen of the flaw, fit for a terminal; empty if the key does not have it."""


def _of_keys(name: str, check: Check, keys: Sequence[Judged], now: float) -> Caution | None:
    seen = [(judged.row.kid or _NO_KID, found) for judged in keys if (found := check(judged, now))]
    if not seen:
        return None
    return caution(name, "; ".join(list(dict.fromkeys(found for _, found in seen))[:3]), [kid for kid, _ in seen])


def _private(judged: Judged, _: float) -> str:
    members = sorted(PRIVATE_MEMBERS & judged.jwk.keys())
    return f"the members {', '.join(members)}" if members and judged.row.kty != "oct" else ""


def _secret(judged: Judged, _: float) -> str:
    return "kty oct" if judged.row.kty == "oct" else ""


def _no_kid(judged: Judged, _: float) -> str:
    return "no kid" if judged.key is not None and judged.key.kid is None else ""


def _rsa_size(judged: Judged, _: float) -> str:
    return f"{judged.row.bits} bits" if judged.row.reason == "rsa_size" else ""


def _exponent(judged: Judged, _: float) -> str:
    return judged.row.why if judged.row.reason == "rsa_exponent" else ""


def _malformed(judged: Judged, _: float) -> str:
    reason = judged.row.reason
    is_malformed = reason.endswith("_malformed") or reason in ("member_missing", "not_an_object")
    return judged.row.why if is_malformed and judged.row.kty != "oct" else ""


def _other_kind(judged: Judged, _: float) -> str:
    row = judged.row
    is_other = row.reason in _NOT_A_KIND_OF_OURS and row.kty != "oct"
    return " ".join(text for text in (row.kty, row.curve, row.alg) if text) or "no kty" if is_other else ""


def _contradiction(judged: Judged, _: float) -> str:
    row = judged.row
    algorithm = ALGORITHMS.get(row.alg or "")
    if algorithm is not None and row.kty is not None and not algorithm.fits(row.kty, row.curve if row.kty != "RSA" else None):
        return f"alg {row.alg} with {row.kty} {row.curve or ''}".rstrip()
    if algorithm is not None and row.use not in (None, "sig"):
        return f"alg {row.alg} with use {row.use}"
    if algorithm is None and row.alg is not None and row.use == "sig" and row.reason == "alg_not_supported":
        return f"alg {row.alg} with use sig"
    if row.key_ops is None or row.use is None:
        return f"key_ops {', '.join(row.key_ops or ())}" if row.reason == "not_for_verification" else ""
    return "" if (row.use == "sig") == ("verify" in row.key_ops) else f"use {row.use} with key_ops {', '.join(row.key_ops)}"


def _unreadable(judged: Judged, _: float) -> str:
    return judged.certificate_problem


def _not_current(judged: Judged, now: float) -> str:
    held = judged.certificate
    if held is None or held.begins <= now < held.ends:
        return ""
    return "expired" if now >= held.ends else "not valid yet"


def _another_key(judged: Judged, _: float) -> str:
    held = judged.certificate
    if held is None or judged.key is None or held.fingerprint is None:
        return ""
    return "" if held.fingerprint == judged.key.fingerprint else "two public keys"


def _thumbprint(judged: Judged, _: float) -> str:
    held = judged.certificate
    said = {} if held is None else {name: (judged.jwk.get(name), right) for name, right in held.thumbprints.items()}
    wrong = [f"{name} {shown(given)}, not {right}" for name, (given, right) in said.items() if given not in (None, right)]
    return "; ".join(wrong)


def _bound(judged: Judged, _: float) -> str:
    return judged.row.why if judged.row.reason in ("another_cloud", "bound_elsewhere") else ""


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "private_key_published": _private,
        "secret_published": _secret,
        "kid_missing": _no_kid,
        "rsa_size": _rsa_size,
        "rsa_exponent": _exponent,
        "key_malformed": _malformed,
        "members_contradict": _contradiction,
        "certificate_unreadable": _unreadable,
        "certificate_not_current": _not_current,
        "certificate_of_another_key": _another_key,
        "thumbprint_differs": _thumbprint,
        "bound_elsewhere": _bound,
        "kind_not_used": _other_kind,
    }
)


# -- of the set --------------------------------------------------------------------------------------------------------


def _repeated(keys: Sequence[Judged]) -> Caution | None:
    named = [(str(judged.jwk["kid"]), judged.row.fingerprint) for judged in keys if isinstance(judged.jwk.get("kid"), str)]
    kids = [kid for kid, _ in named]
    twice = {kid for kid in kids if kids.count(kid) > 1} if len(set(kids)) < len(kids) else set()
    if not twice:
        return None
    prints = {(kid, fingerprint) for kid, fingerprint in named if kid in twice}
    seen = "different keys" if len(prints) > len(twice) else "the same key again"
    return caution("kid_repeated", seen, [str(shown(kid)) for kid in sorted(twice)])


def _not_served(keys: Sequence[Judged], algorithms: Sequence[str]) -> Caution | None:
    served = {name for judged in keys for name in judged.row.serves}
    if not served or served & set(algorithms):
        return None
    return caution("algorithm_not_served", f"the keys serve {', '.join(sorted(served))}; allowed: {', '.join(algorithms)}")


def _many(keys: Sequence[Judged]) -> Caution | None:
    return caution("keys_near_bound", f"{len(keys)} keys or more") if len(keys) >= NEAR * MAX_KEYS else None
