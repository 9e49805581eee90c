"""One structlog event for each thing that happens to the issuers' keys."""

from __future__ import annotations

from typing import assert_never

from tokenward.keys.events import KeyEvent, KeysAwaited, KeysRefreshed, KeysRefreshFailed, KeysSeeded
from tokenward.logger import Logger, logger_or_ours
from tokenward.redaction import shown


def log_key_event(event: KeyEvent, logger: Logger | None = None) -> None:
    """Report one event of a source of keys. The verifiers' default observer.

    Raises PolicyError for a logger that is none.
    """
    log = logger_or_ours(logger)
    match event:
        case KeysRefreshed():
            _log_refreshed(event, log)
        case KeysRefreshFailed():
            _log_failed(event, log)
        case KeysAwaited():
            log.error("keys_awaited", source=event.source, seconds=round(event.seconds, 1), hint=_AWAITED_IN_VAIN)
        case KeysSeeded(ignored=None):
            log.info("keys_seeded", source=event.source, keys=event.keys, key_age=_rounded(event.age))
        case KeysSeeded():
            _log_ignored(event, log)
        case _:
            assert_never(event)


def _log_refreshed(event: KeysRefreshed, log: Logger) -> None:
    fields = {"keys": event.keys, "added": event.added, "removed": event.removed, "seconds": round(event.seconds, 3)}
    log.info("keys_refreshed", source=event.source, why=event.why, **fields, skipped=event.skipped)
    if event.skipped.get("private_key_published"):
        log.error("private_key_published", source=event.source, hint="The issuer publishes private keys; tell it at once.")


def _log_failed(event: KeysRefreshFailed, log: Logger) -> None:
    report = log.warning if event.usable else log.error
    report(
        "keys_refresh_failed",
        source=event.source,
        why=event.why,
        kind=event.kind,
        detail=shown(event.detail),
        failures=event.failures,
        retry_in=round(event.retry_in, 1),
        key_age=_rounded(event.age),
        usable=event.usable,
        hint=HINTS.get(event.kind, "Ask for the address by hand from this machine, such as with curl."),
    )


def _log_ignored(event: KeysSeeded, log: Logger) -> None:
    reason = str(event.ignored)
    hint = SEED_HINTS.get(reason, "The document is damaged, or no export: export again, and see who can write it.")
    log.warning("keys_seed_ignored", source=event.source, reason=shown(reason), key_age=_rounded(event.age), hint=hint)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


_AWAITED_IN_VAIN = (
    "The start has waited in vain for this issuer's keys. If it requires them, it ends here; else the service is up, and answers "
    "the issuer's tokens 503 until they come. See the latest keys_refresh_failed event for the reason."
)
HINTS = {
    "dns": "The host name does not resolve here; check the address and this machine's DNS.",
    "tls": "The certificate is not accepted; a proxy may intercept TLS, so add its CA to this machine.",
    "connect": "Nothing answers at this address; check the network, the firewall and the proxy settings.",
    "timeout": "The issuer answers too slowly or not at all; check the network, the firewall and the proxy settings.",
    "status": "The issuer answered with an error; check the address, and the issuer's own status page.",
    "redirect": "Redirects are not followed; configure the address that it leads to.",
    "not_json": "Something else than the issuer answered; look for a login page or a proxy.",
    "metadata": "The discovery document is of another issuer; compare its issuer with the policy, to the letter.",
    "read": "The connection broke off in the middle of the answer; check the network and the proxy in between.",
    "too_large": "This is no set of keys; check the address.",
    "encoding": "The answer is compressed in a way that was not asked for; check the proxy in between.",
    "not_started": "This process could start no thread; check its limits (ulimit -u, the container's pids limit).",
    "cancelled": "Its event loop ended during the fetch. Where each call has its own loop (async_to_sync), use Verifier there.",
    "other": "The fetch itself failed, as detail says; if it is a function of your own, look there.",
    "no_keys": "No key in the set can be used; see the reasons in detail.",
}
SEED_HINTS = {
    "the policy has no such source of keys": "Export again, with the policy that reads it.",
    "it is not in the document": "Export again, with the policy that reads it, once every source has keys.",
    "it is from the future": "Compare the clock of this machine with that of the one that exported.",
    "it is older than keys may be": "Export more often; see whether the job that exports still runs.",
    "the keys in hand are no older": "Nothing is to be done: the keys in hand serve on.",
    "it does not say which cloud its keys are of": "Export again; what was exported lacks the cloud that the policy asks for.",
}
