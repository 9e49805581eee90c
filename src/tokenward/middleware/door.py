"""What every front door has in common: who may pass without a token, and how a refusal is reported and answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

from tokenward import validation
from tokenward.challenge import Answer, answer, require_realm
from tokenward.diagnostics import Diagnostics
from tokenward.errors import AuthenticationError, MissingToken, PolicyError, with_code
from tokenward.identity import Identity
from tokenward.policy import Policy
from tokenward.verifier import AsyncVerifier, Verifier

Predicate: TypeAlias = Callable[[Any], bool]
Exempt: TypeAlias = Iterable[str | Predicate]
R = TypeVar("R")
V = TypeVar("V", Verifier, AsyncVerifier)


class Door:
    """The options of a front door.

    exempt           paths that need no token: "/health" (exactly), "/public/*" (below it), or a function of the request
                     (the ASGI scope, the WSGI environ, Django's HttpRequest) that returns True. Paths are relative to where
                     the app is mounted. A token on such a path is not looked at
    optional         let requests without a token pass, with identity None; a bad token is refused all the same
    realm            the realm of the challenge (RFC 9110 section 11.5)
    allow_preflight  let CORS preflights reach the app, with identity None: only for an app that answers them itself. They never
                     carry credentials (Fetch standard, section 3.2.2), and CORS middleware in front needs nothing of this
    diagnostics      where rejections are reported

    What code of your own raises (a function in `exempt`, a check of the policy, `kind_of`) is no verdict on the caller: unless
    it is an AuthenticationError, it comes through as it is, the app is not called, and the server answers 500.

    Raises PolicyError.
    """

    def __init__(
        self,
        *,
        exempt: Exempt = (),
        optional: bool = False,
        realm: str | None = None,
        allow_preflight: bool = False,
        diagnostics: Diagnostics | None = None,
    ) -> None:
        rules = _rules(exempt)
        self._paths = frozenset(rule for rule in rules if isinstance(rule, str) and not rule.endswith("/*"))
        self._prefixes = tuple(rule[:-1] for rule in rules if isinstance(rule, str) and rule.endswith("/*"))
        self._has_rules = bool(rules)
        self._predicates = tuple(rule for rule in rules if not isinstance(rule, str))
        self._optional = validation.boolean("optional", optional)
        self._realm = require_realm(realm)
        self._allow_preflight = validation.boolean("allow_preflight", allow_preflight)
        self._asks_everyone = not rules and not self._allow_preflight
        self._diagnostics = Diagnostics() if diagnostics is None else _require_diagnostics(diagnostics)

    def needs_token(self, request: R, path_of: Callable[[R], str], is_preflight: Callable[[R], bool]) -> bool:
        """Whether this request may reach the app with a token only. The functions are asked only if somebody may do without."""
        if self._asks_everyone:
            return True
        return not (self.is_open(path_of(request), request) or (self._allow_preflight and is_preflight(request)))

    def is_open(self, path: str, request: object) -> bool:
        """Whether this path, relative to the app, needs no token; the mount point without a slash ("") matches no path."""
        if not self._has_rules:
            return False
        if path in self._paths or (self._prefixes and path.startswith(self._prefixes) and _is_plain(path)):
            return True
        return any(predicate(request) is True for predicate in self._predicates)

    def tolerate(self, error: AuthenticationError) -> None:
        """Let a request go on without an identity if `authenticate` found no token, and that is allowed; else raise the error.

        It is for `authenticate`'s errors only: a MissingToken that a function of the user's own raises is a refusal.
        """
        if not self._optional or not isinstance(error, MissingToken) or error.signature_held:
            raise error

    def refuse(self, error: AuthenticationError, *, method: str, path: str, resource_metadata: str | None = None) -> Answer:
        """Report the rejection, and say what to answer; `resource_metadata` is for the challenge (RFC 9728 section 5.1)."""
        if method == "OPTIONS" and isinstance(error, MissingToken) and error.claim is None:
            error.claim = "preflight"  # as it probably is, and then the hint is another
        self._diagnostics.rejected(error, method=method, path=path)
        return answer(error, self._realm, resource_metadata=resource_metadata)

    def of_app(self, error: AuthenticationError, caller: Identity | None) -> AuthenticationError:
        """What the guarded app itself raised, with what is known of its caller; the app may raise one object many times."""
        coded = with_code(error)
        coded.signature_held = caller is not None
        coded.issuer, coded.client = (caller.issuer, caller.client_id) if caller else (None, None)
        return coded


def require_policy(value: object) -> Policy:
    """The value, if it is a Policy. Raises PolicyError."""
    if not isinstance(value, Policy):
        raise PolicyError("policy", "it is not a Policy", "Give entra.databricks(...), entra.api(...) or Policy([...]).")
    return value


def verifier_for(kind: type[V], policy: Policy | None, verifier: V | None) -> V:
    """The verifier that a door was given, or a new one for its policy; one of the two must be given. Raises PolicyError."""
    if verifier is None:
        return kind(require_policy(policy))
    if policy is not None:
        raise PolicyError("policy", "a verifier is given as well, and has its own", "Pass policy or verifier, not both.")
    if not isinstance(verifier, kind):
        raise PolicyError("verifier", f"it is not of the kind that fits here, {kind.__name__}", f"Pass {kind.__name__}(policy).")
    return verifier


def require_app(field: str, app: object) -> None:
    """Raise PolicyError if nothing could be called behind the door."""
    if not callable(app):
        raise PolicyError(field, "it is not an app, as it cannot be called", "Pass the app that is to be guarded.")


def _require_diagnostics(value: object) -> Diagnostics:
    if not isinstance(value, Diagnostics):
        raise PolicyError(
            "diagnostics", "it is not a Diagnostics", "Pass tokenward.diagnostics.Diagnostics(...), or leave it out."
        )
    return value


def _rules(exempt: object) -> tuple[str | Predicate, ...]:
    if isinstance(exempt, str):
        raise PolicyError("exempt", "it is not a list", "Write a list such as ['/health', '/public/*'].")
    return tuple(_rule(item) for item in validation.items("exempt", exempt, "['/health', '/public/*']", empty=True))


def _rule(rule: object) -> str | Predicate:
    if not isinstance(rule, str):
        return validation.function("exempt", rule, "the scope, environ or HttpRequest, and returns True or False")
    path = rule.removesuffix("*") if rule.endswith("/*") else rule
    if not path.startswith("/") or set(path) & set("*?#%\\") or not _is_plain(path):
        problem = f"{rule!r} is no path that a request can have: decoded, without a query, an asterisk or dotted parts"
        raise PolicyError("exempt", problem, "Write paths like '/health', and prefixes like '/public/*'.")
    if rule == "/*":
        raise PolicyError("exempt", "'/*' is every path, so nothing would be guarded", "List the paths that need no token.")
    return rule


def _is_plain(path: str) -> bool:
    """Whether what follows the prefix cannot lead out of it again, by the app's or a proxy's normalising.

    Control characters are among what is refused because URL parsers drop some of them (URL standard, section 4.4), and
    surrogates because they stand for bytes that are not UTF-8.
    """
    if not path.isprintable() or set(path) & set("\\%;"):
        return False
    return not any(part in (".", "..", "") for part in path.split("/")[1:-1]) and not path.endswith(("/.", "/.."))
