"""What can be wrong with TLS. These need a server that speaks it: `FaultServer(issuer, tls=True)`."""

from __future__ import annotations

from tokenward.testing.faults.fault import Fault


def expired_certificate() -> Fault:
    """The right name and authority, but its time is over."""
    return Fault("expired certificate", handshake="expired", fails="tls")


def wrong_host_certificate() -> Fault:
    """A good certificate of another host."""
    return Fault("wrong host's certificate", handshake="wrong host", fails="tls")


def self_signed_certificate() -> Fault:
    """A certificate that nobody but itself vouches for, as of a proxy that reads along."""
    return Fault("self-signed certificate", handshake="self-signed", fails="tls")


def no_tls() -> Fault:
    """Plain HTTP, where TLS is spoken."""
    return Fault("no TLS", handshake="none", fails="tls")


def half_a_handshake() -> Fault:
    """The connection is accepted, and the handshake never answered."""
    return Fault("half a handshake", handshake="half", fails="timeout")
