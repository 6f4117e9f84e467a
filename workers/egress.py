"""Where Crawlyard may connect to: no private or reserved address, unless the operator allowed it."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from shared.addresses import AddressPolicy
from workers.errors import ConnectionReset, ConnectRefused, ConnectTimeout, DnsNotFound, DnsTemporary, ForbiddenAddress

_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
#: more addresses of one host than this are not tried
_CANDIDATES = 6
Socket = TypeVar("Socket", bound=socket.socket)


class EgressPolicy(AddressPolicy):
    """The policy as a check of what is about to be connected to."""

    def check(self, host: str, port: int, address: str) -> None:
        """Raises ForbiddenAddress unless `address`, which `host` resolved to, may be connected to."""
        if not self.allows(host, port, address):
            raise ForbiddenAddress(f"{host} resolves to {address}, which is private or reserved")


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


def connect(
    make: type[Socket],
    host: str,
    port: int,
    policy: EgressPolicy,
    timeout: float,
    resolved: Callable[[], None] = lambda: None,
) -> Socket:
    """A socket of class `make` to the first address of `host` that answers, within `timeout` seconds in all.

    The name is looked up once (`resolved` is told) and the very address that was checked is connected to. Raises
    ForbiddenAddress, DnsNotFound, DnsTemporary, ConnectRefused, ConnectTimeout, ConnectionReset.
    """
    allowed = list(_allowed(host, port, policy))
    resolved()
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


def _open(make: type[Socket], family: int, address: tuple[str, int], timeout: float) -> Socket:
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
