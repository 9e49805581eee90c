"""The soak: rotations, outages and floods at once against real verifiers, and what known callers feel of it."""
