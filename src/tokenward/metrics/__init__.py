"""Numbers for whoever watches a service: read from the verifiers when they are collected, by Prometheus or by OpenTelemetry."""
