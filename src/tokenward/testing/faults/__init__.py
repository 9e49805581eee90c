"""What an issuer can be made to do wrong: one small function for each way, for answers in process and over HTTP alike.

    from tokenward.testing import FaultServer, LocalIssuer, faults

    with FaultServer(LocalIssuer()) as server:
        server.next(faults.reset_after(100), faults.status(503, retry_after=5))   # one request each
        server.always(faults.slow_headers())                                      # from then on, until server.recover()

Each gives a `Fault`. `docs/faults.md` lists them all, and what tokenward's own verifiers do when they meet them.
"""

from tokenward.testing.faults.answer import JSON, Answer, response_to
from tokenward.testing.faults.bodies import body, document, empty, garbage, html, text, too_large
from tokenward.testing.faults.breakage import (
    another_protocol,
    bad_chunks,
    closed,
    endless_headers,
    reset,
    reset_after,
    two_lengths,
    unfinished_chunks,
    wrong_length,
)
from tokenward.testing.faults.caches import cached
from tokenward.testing.faults.certificates import (
    expired_certificate,
    half_a_handshake,
    no_tls,
    self_signed_certificate,
    wrong_host_certificate,
)
from tokenward.testing.faults.compression import bomb, compressed, mislabelled
from tokenward.testing.faults.connections import black_hole, down
from tokenward.testing.faults.fault import Fault
from tokenward.testing.faults.keysets import key_set, only, replicas, with_keys, without_key
from tokenward.testing.faults.modes import MODES, SLOW, Mode, of_mode
from tokenward.testing.faults.slowness import endless, held, slow, slow_body, slow_chunks, slow_headers
from tokenward.testing.faults.statuses import header, not_modified, redirect, status

__all__ = [
    "JSON",
    "MODES",
    "SLOW",
    "Answer",
    "Fault",
    "Mode",
    "another_protocol",
    "bad_chunks",
    "black_hole",
    "body",
    "bomb",
    "cached",
    "closed",
    "compressed",
    "document",
    "down",
    "empty",
    "endless",
    "endless_headers",
    "expired_certificate",
    "garbage",
    "half_a_handshake",
    "header",
    "held",
    "html",
    "key_set",
    "mislabelled",
    "no_tls",
    "not_modified",
    "of_mode",
    "only",
    "redirect",
    "replicas",
    "reset",
    "reset_after",
    "response_to",
    "self_signed_certificate",
    "slow",
    "slow_body",
    "slow_chunks",
    "slow_headers",
    "status",
    "text",
    "too_large",
    "two_lengths",
    "unfinished_chunks",
    "with_keys",
    "without_key",
    "wrong_host_certificate",
    "wrong_length",
]
