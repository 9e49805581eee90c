"""What happens to a token, in order: authorization, compact with header, admission, (keys,) signature, claims, lifetime, caller.

All of it pure. Every judgement but the signature is a row of a table: HEADER_CHECKS, ISSUER_CHECKS, CLAIM_CHECKS, TIME_CHECKS,
CALLER_CHECKS.
"""
