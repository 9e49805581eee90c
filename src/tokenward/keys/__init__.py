"""Signing keys: read (jwk, keyset, metadata), aged (freshness), fetched (loading, fetch) and waited for (threads, aio)."""
