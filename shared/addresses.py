"""Addresses: which are public, which others the operator allowed, and what a host name leads to."""

import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from functools import cache

from shared.errors import InvalidUrl, SettingsError
from shared.urls import host_port, parse_domain, split

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: RFC 6052: IPv4 addresses behind a translator, in the last 32 bits
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: IANA special-purpose blocks that older Pythons take for global, in part or as a whole
_SPECIAL = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv6Network("64:ff9b:1::/48"))
#: seconds that a look at a name may take while a client waits
_PATIENCE = 3.0


class AddressPolicy:
    """Which addresses may be reached; `allow_private` holds host, host:port, address or CIDR entries."""

    def __init__(self, allow_private: tuple[str, ...] = ()) -> None:
        """Raises SettingsError for an entry that is none of those."""
        self._networks: list[Network] = []
        self._hosts: set[str] = set()
        for entry in allow_private:
            self._add(entry)

    def _add(self, entry: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
        except ValueError:
            self._hosts.add(_host_entry(entry))

    def allows(self, host: str, port: int, address: str) -> bool:
        """Whether `address`, which `host` resolved to, may be connected to."""
        ip = unwrapped(address)
        if is_public(ip) or any(ip in network for network in self._networks):
            return True
        named = {host, _bracketed(host), str(ip), _bracketed(str(ip))}
        return any(name in self._hosts or f"{name}:{port}" in self._hosts for name in named)


def _host_entry(entry: str) -> str:
    try:
        target = parse_domain(f"http://{entry}")
    except InvalidUrl as error:
        raise SettingsError(f"Allowed private address {entry!r}: {error.message}") from None
    if target.path != "/":
        raise SettingsError(f"Allowed private address {entry!r} is neither a host, host:port nor a CIDR")
    return f"{target.host}:80" if entry.rstrip("/").endswith(":80") else target.host


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def unwrapped(address: str) -> Address:
    """The address that packets reach in the end: IPv4-mapped, 6to4 and NAT64 (RFC 6052) undone."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def is_public(ip: Address) -> bool:
    """False for private, shared (100.64/10), loopback, link-local, multicast, reserved and Teredo addresses."""
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_link_local:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and (ip.is_site_local or ip.teredo):
        return False
    return not any(ip in network for network in _SPECIAL)


def forbidden(policy: AddressPolicy, url: str) -> str | None:
    """Why a canonical URL must not be sent to, as far as it can be told in three seconds; None: nothing speaks against.

    Only for a clear answer in time: what counts is the check of the address that is connected to (workers/egress.py).
    """
    origin = split(url)[0]
    host, port = host_port(origin.partition("://")[2])
    number = int(port) if port else (443 if origin.startswith("https") else 80)
    found = _addresses(host.strip("[]"), number)
    if not found or any(policy.allows(host.strip("[]"), number, address) for address in found):
        return None
    return f"{host} resolves to {found[0]}, which is private or reserved"


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads for look-ups, which cannot be given a time limit: a hung resolver can hold these and no others."""
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="lookup")


def _addresses(host: str, port: int) -> list[str]:
    question = _pool().submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        return [str(address[0]) for *_, address in question.result(_PATIENCE)]
    except FutureTimeout:
        question.cancel()
        return []
    except (OSError, UnicodeError):
        return []
