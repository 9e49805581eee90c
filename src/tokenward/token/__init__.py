"""What happens to a token, in order: authorization, compact, admission, (keys,) signature, claims. All of it pure."""
