"""The names under which the measured apps find what they need in their environment."""

UPSTREAM, JWKS_URI, WORKSPACE = "BENCHMARK_UPSTREAM", "BENCHMARK_JWKS_URI", "BENCHMARK_WORKSPACE"
