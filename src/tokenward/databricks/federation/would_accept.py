"""Would Databricks exchange this token? Every check of every policy, before Databricks is asked.

The checks are the tables by which the verifiers judge, run row by row (`judging.judgement`) over the Issuer that a policy is,
so that nothing here can judge otherwise than the middleware does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tokenward.databricks.federation.advice import fix_for, notes_for, notes_on_matches, source_for
from tokenward.databricks.federation.federation_policy import FederationPolicy
from tokenward.databricks.federation.policies import policy_of
from tokenward.databricks.federation.sight import Case, expected_and_seen, shown_name
from tokenward.databricks.federation.signature_word import SignatureWord, Verifies, signature_word
from tokenward.errors import TokenRejected, TokenTooLarge
from tokenward.finding import Finding
from tokenward.judging.judgement import Judgement, judgements
from tokenward.policy import Policy
from tokenward.token.compact import Compact, open_compact

_FORM = "a compact JWS of three parts"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one policy makes of the token.

    accepted    every check holds; None if only the signature could not be judged, as without a verifier (and `jwks_json`)
    findings    every check, in the order of tokenward's tables, and the signature last
    considered  whether Databricks looks at this policy at all: account-wide ones without `client_id`, a service principal's
                  with it
    notes       what holds and still matters: the principal, the life that is left, fields that are not known
    """

    policy: FederationPolicy
    accepted: bool | None
    findings: tuple[Finding, ...]
    considered: bool
    notes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_match(self) -> bool:
        """Whether Databricks would exchange the token by this policy, as far as can be told before it is asked."""
        return self.accepted is True and self.considered

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.held is False)


def would_accept(
    token: str | bytes,
    policies: Sequence[FederationPolicy],
    *,
    now: float | None = None,
    client_id: str | None = None,
    verifier: Verifies | None = None,
) -> list[Verdict]:
    """For each policy, in order, whether it accepts the token, and every check that says why not.

    It cannot know whether the user or service principal exists, which `client_id` has which policy, or what the policy at
    Databricks is now: a change takes a minute or two to work. It fetches nothing, but a `verifier` may.

    now        seconds since the epoch; by default the present
    client_id  as it would be sent in the exchange; it selects whose policies Databricks looks at
    verifier   a Verifier with the policies' keys, such as Verifier(policy_of(policies)); without one a signature is judged
                 only by keys in `jwks_json`

    Raises PolicyError for arguments that are none; whatever the token is, the answer is a list.
    Source: docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-exchange
    """
    text = token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")
    word = signature_word(verifier, text)
    at = time.time() if now is None else now
    verdicts = [_verdict(text, policy, at, client_id, word) for policy in policies]
    matches = [verdict.policy for verdict in verdicts if verdict.is_match]
    extra = notes_on_matches(matches, client_id)
    return [replace(verdict, notes=verdict.notes + extra) if verdict.is_match else verdict for verdict in verdicts]


def _verdict(text: bytes, policy: FederationPolicy, now: float, client_id: str | None, word: SignatureWord) -> Verdict:
    considered = policy.is_account_wide == (client_id is None)
    whole = policy_of([policy])
    try:
        compact = _opened(text, whole)
    except TokenRejected as rejection:
        finding = Finding("form", _FORM, rejection.reason, False, rejection.hint, source_for("form"))
        return Verdict(policy, False, (finding,), considered)
    case = Case(policy, whole, compact.header, compact.claims, now)
    findings = [Finding("form", _FORM, "one", True, "", source_for("form")), *_judged(case)]
    signature = _signature(case, compact, word)
    accepted = signature.held if all(finding.held for finding in findings) else False
    notes = notes_for(case, client_id)
    return Verdict(policy, accepted, (*findings, signature), considered, notes)


def _opened(text: bytes, whole: Policy) -> Compact:
    """The token, unjudged. Raises MalformedToken or TokenTooLarge."""
    if len(text) > whole.max_token_bytes:
        raise TokenTooLarge("longer than a policy's limit in bytes", expected=whole.max_token_bytes, actual=len(text))
    return open_compact(text)


def _judged(case: Case) -> list[Finding]:
    rows = judgements(case.header, case.claims, case.policy.to_issuer(), case.now, case.whole)
    return [_finding(case, row) for row in rows]


def _finding(case: Case, row: Judgement) -> Finding:
    name = shown_name(row.name)
    if row.held is None:
        fix = "Correct the dates of the token first."
        return Finding(name, "a date", case.claims.get(row.name), None, fix, source_for(row.name))
    fix = "" if row.held else fix_for(row.name, case, row.rejection)
    return Finding(name, *expected_and_seen(row.name, case, row.rejection), row.held, fix, source_for(row.name))


def _signature(case: Case, compact: Compact, word: SignatureWord) -> Finding:
    held, seen, rejection = word.on(case, compact)
    expected = f"by a key of {case.policy.keys_name}"
    another = held is None and isinstance(rejection, TokenRejected)  # another check failed first, and has its own fix
    fix = "" if held or another else fix_for("signature", case, rejection)
    return Finding("signature", expected, seen, held, fix, source_for("signature"))
