"""What the gateway costs beside a proxy that guards nothing, and forward-auth beside nginx alone: `scripts/bench --gateway`."""
