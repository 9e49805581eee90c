"""What an issuer publishes, as a verifier sees it: discovery document, keys, and what breaks other verifiers."""
