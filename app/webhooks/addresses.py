"""Which addresses a webhook may be sent to: none by which a caller could reach into our own network."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


class RefusedAddressError(Exception):
    """A webhook must not be sent there; the message says why."""


@dataclass(frozen=True)
class Target:
    """Where to connect, and who is to be there.

    Attributes:
        address: the IP address that was checked; connecting to it, not to the name, leaves no second
            resolution that could answer otherwise.
        port: of the connection.
        host: the name in the URL, for ``Host`` and for the certificate.
    """

    address: str
    port: int
    host: str


def check(url: str) -> None:
    """Refuse what is no plain web address.

    Raises:
        RefusedAddressError: another scheme, no host, or a name and password in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RefusedAddressError("not a URL") from error
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise RefusedAddressError("not an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise RefusedAddressError("a URL with a password in it")


def resolve(url: str, *, private: bool) -> Target:
    """Where a URL leads.

    Args:
        url: as its sender gave it.
        private: whether addresses that are not public are taken, too.

    Raises:
        RefusedAddressError: `check` refuses it, its name has no address, or one that is not public.
    """
    check(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RefusedAddressError("the name has no address") from error
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not private and not all(map(_public, addresses)):
        raise RefusedAddressError("the address is not a public one")
    return Target(addresses[0], port, host)


def _public(address: str) -> bool:
    """Whether an address is on the public internet, also where IPv6 only wraps an IPv4 one."""
    known = ipaddress.ip_address(address)
    if isinstance(known, ipaddress.IPv6Address):
        inner = known.ipv4_mapped or known.sixtofour or _nat64(known)
        if known.teredo is not None or any(known in network for network in _INSIDE):
            return False
        if inner is not None:
            known = inner
    return known.is_global and not known.is_multicast


_INSIDE = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b:1::/48", "fec0::/10")))
"""IPv4-compatible, translated within a site, site-local: global to the standard library, inside to a router."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
