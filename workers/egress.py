"""Where Crawlyard may connect to: no private or reserved address, unless the operator allowed it."""

import ipaddress
import socket
import time
from collections.abc import Iterator

from shared.errors import InvalidUrl, SettingsError
from shared.urls import parse_domain
from workers.errors import ConnectionReset, ConnectRefused, ConnectTimeout, DnsNotFound, DnsTemporary, ForbiddenAddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: RFC 6052: IPv4 addresses behind a translator, in the last 32 bits
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: IANA special-purpose blocks that older Pythons take for global, in part or as a whole
_SPECIAL = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
#: more addresses of one host than this are not tried
_CANDIDATES = 6


class EgressPolicy:
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

    def check(self, host: str, port: int, address: str) -> None:
        """Raises ForbiddenAddress unless `address`, which `host` resolved to, may be connected to."""
        ip = unwrapped(address)
        if is_public(ip) or any(ip in network for network in self._networks):
            return
        named = {host, _bracketed(host), str(ip), _bracketed(str(ip))}
        if not any(name in self._hosts or f"{name}:{port}" in self._hosts for name in named):
            raise ForbiddenAddress(f"{host} resolves to {address}, which is private or reserved")


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


def resolve(host: str, port: int) -> list[tuple[int, str]]:
    """(family, address) pairs of a host, in the order to try. Raises DnsNotFound or DnsTemporary."""
    try:
        found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        kind = DnsNotFound if error.errno in _NO_SUCH_HOST else DnsTemporary
        raise kind(f"Cannot resolve {host}: {error.strerror}") from None
    except (UnicodeError, OSError) as error:
        raise DnsNotFound(f"Cannot resolve {host}: {error}") from None
    return [(int(family), str(address[0])) for family, _, _, _, address in found][:_CANDIDATES]


def connect(make: type[socket.socket], host: str, port: int, policy: EgressPolicy, timeout: float) -> socket.socket:
    """A socket of class `make` to the first address of `host` that answers, within `timeout` seconds in all.

    The name is looked up once and the very address that was checked is connected to. Raises
    ForbiddenAddress, DnsNotFound, DnsTemporary, ConnectRefused, ConnectTimeout, ConnectionReset.
    """
    allowed = list(_allowed(host, port, policy))
    deadline = time.monotonic() + timeout
    failure: Exception | None = None
    for left, (family, address) in zip(range(len(allowed), 0, -1), allowed, strict=True):
        try:
            return _open(make, family, (address, port), max(0.001, (deadline - time.monotonic()) / left))
        except OSError as error:
            failure = error
    raise _failed(host, port, timeout, failure)


def _allowed(host: str, port: int, policy: EgressPolicy) -> Iterator[tuple[int, str]]:
    refusal, found = None, False
    for family, address in resolve(host, port):
        try:
            policy.check(host, port, address)
        except ForbiddenAddress as error:
            refusal = error
        else:
            found = True
            yield family, address
    if refusal and not found:
        raise refusal


def _open(make: type[socket.socket], family: int, address: tuple[str, int], timeout: float) -> socket.socket:
    sock = make(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _failed(
    host: str, port: int, timeout: float, error: Exception | None
) -> ConnectTimeout | ConnectRefused | ConnectionReset:
    if isinstance(error, TimeoutError):
        return ConnectTimeout(f"No connection to {host}:{port} within {timeout:g} s")
    if isinstance(error, ConnectionResetError):
        return ConnectionReset(f"{host}:{port} reset the connection")
    reason = getattr(error, "strerror", None) or "no address"
    return ConnectRefused(f"Cannot connect to {host}:{port}: {reason}")
