"""Front doors: each takes the Authorization values off a request, asks a verifier, and places the identity or the refusal."""
