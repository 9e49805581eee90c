"""Whether a request may go on, and under which token: what the gateway and forward-auth judge alike."""
