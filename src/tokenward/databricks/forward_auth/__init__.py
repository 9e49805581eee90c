"""Verdicts for a proxy that moves the bytes itself (nginx, Envoy, Traefik, Caddy): yes, under this token; or no."""
