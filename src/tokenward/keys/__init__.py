"""Signing keys: where they are, what they are, how long they serve, and who waits for them.

read       location, address, jwk, keyset, metadata, loading (which requests to make, and what their answers must be)
aged       rhythm (how often), freshness (the state machine), with its snapshot and its decision
fetched    port (what a request is), fetch and body (the default client)
shared     source (the state behind a lock, and who waits), events (what is told of it)
driven     driving, threads, aio, loops (asyncio and trio)
"""
