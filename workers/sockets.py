"""Guarded sockets, and those that are kept for the next request: every read ends at the request's deadline.

Every address is checked before it is connected to (workers/egress.py). A timeout of a socket bounds one read only, so a
server that drips bytes could hold a thread for hours: each read asks the thread's flight how long it may take.
"""

import os
import select
import socket
import ssl
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

from certifi import where

from shared.urls import host_port
from workers import leases
from workers.egress import connect
from workers.errors import ConnectionReset, ConnectTimeout, TlsError
from workers.flight import SLICE, Flight

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: hosts whose idle connections are kept
MAX_HOSTS = 256
#: bytes that the send buffer of a connection takes at once
_SHORT_REQUEST = 8 * 1024


class GuardedSocket(socket.socket):
    """Each system call lets go of the interpreter, and taking it back may be two switches of threads: fewer of them."""

    #: whose request is on its way
    flight: Flight

    def settimeout(self, value: float | None) -> None:
        """As ever; mostly it is what it is."""
        if value != self.gettimeout():
            super().settimeout(value)


class _PlainSocket(GuardedSocket):
    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        """Mostly there is room, so it need not be asked for first.

        Every one of these sockets has a timeout, and only the thread that sends on it closes it.
        """
        view, sent = memoryview(data), 0
        with suppress(BlockingIOError):
            sent = os.write(self.fileno(), view)
        if sent < len(view):
            super().sendall(view[sent:], flags)

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self.flight.receive(self, super().recv, size, flags)

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        return self.flight.receive(self, super().recv_into, buffer, nbytes, flags)


class _TlsSocket(GuardedSocket, ssl.SSLSocket):
    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        if not hasattr(self, "flight"):  # ssl itself, before the handshake with a peer that has left already
            return super().recv(size, flags)
        return self.flight.receive(self, super().recv, size, flags)

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        return self.flight.receive(self, super().recv_into, buffer, nbytes, flags)


def send(sock: GuardedSocket, flight: Flight, data: bytes) -> None:
    """Sends a request in its turn. Raises as the flight's gate does, LeaseLost, and what the socket raises."""
    sock.flight = flight
    flight.leave(lambda: _send(sock, flight, data))


def _send(sock: GuardedSocket, flight: Flight, data: bytes) -> None:
    sock.settimeout(flight.remaining() if len(data) > _SHORT_REQUEST else SLICE)
    leases.check()  # as late as can be: what follows is one system call
    # not after it: on a busy machine the answer is there before this thread goes on
    flight.marks.sent = time.monotonic()
    with suppress(BrokenPipeError, ConnectionResetError):  # its answer may have come all the same
        sock.sendall(data)


class Connections:
    """Opens connections, and keeps idle ones for each origin (`scheme://host[:port]`). Thread-safe."""

    def __init__(self, most: int, tls: ssl.SSLContext | None = None) -> None:
        """`most` idle ones are kept per origin; `tls` replaces the public certificate authorities."""
        self._most = most
        self._tls = tls or ssl.create_default_context()
        if tls is None:
            self._tls.load_verify_locations(where())
        self._tls.sslsocket_class = _TlsSocket
        self._tls.hostname_checks_common_name = False  # RFC 9525, 2: the subject's name says nothing
        self._idle: OrderedDict[str, list[GuardedSocket]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, origin: str, flight: Flight) -> GuardedSocket:
        """The connection that was used last, or a new one. Raises FetchError."""
        while (sock := self._last(origin)) is not None:
            if not _has_ended(sock):
                return sock
            sock.close()
        return self._opened(origin, flight)

    def keep(self, origin: str, sock: GuardedSocket) -> None:
        """For the next request to that origin; the origin unused longest makes room for a new one."""
        with self._lock:
            idle = self._idle.setdefault(origin, [])
            self._idle.move_to_end(origin)
            idle.append(sock)
            old = [idle.pop(0)] if len(idle) > self._most else []
            old += self._idle.popitem(last=False)[1] if len(self._idle) > MAX_HOSTS else []
        for unused in old:
            unused.close()

    def close(self) -> None:
        """Closes the idle connections of all hosts."""
        with self._lock:
            idle, self._idle = list(self._idle.values()), OrderedDict()
        for sock in (sock for kept in idle for sock in kept):
            sock.close()

    def _last(self, origin: str) -> GuardedSocket | None:
        with self._lock:
            idle = self._idle.get(origin)
            return idle.pop() if idle else None

    def _opened(self, origin: str, flight: Flight) -> GuardedSocket:
        """A new connection, with TLS where the origin has it."""
        flight.reused = False
        timeout = min(flight.limits.connect, flight.remaining())
        marks, (scheme, _, authority) = flight.marks, origin.partition("://")
        name, port = host_port(authority)
        host, number = name.strip("[]"), int(port or (443 if scheme == "https" else 80))
        marks.began = time.monotonic()
        sock = connect(_PlainSocket, host, number, flight.policy, timeout, marks.note_resolved)
        marks.connected = time.monotonic()
        if scheme != "https":
            return sock
        secured = self._secured(sock, host)
        marks.secured = time.monotonic()
        return secured

    def _secured(self, sock: socket.socket, host: str) -> _TlsSocket:
        """Verified as the context has it: the certificate's authority and, by RFC 9525, the name of the host."""
        try:
            secured = self._tls.wrap_socket(sock, server_hostname=host.rstrip("."))
        except TimeoutError:
            raise ConnectTimeout(f"No TLS handshake with {host} in time") from None
        except ssl.SSLError as error:
            raise TlsError(f"TLS with {host}: {getattr(error, 'verify_message', '') or error}") from None
        except OSError as error:
            raise ConnectionReset(f"{host} broke off the TLS handshake: {error.strerror or error}") from None
        finally:
            sock.close()  # wrapped, it has nothing left to close
        assert isinstance(secured, _TlsSocket)
        return secured


def _has_ended(sock: socket.socket) -> bool:
    """Whether an idle connection has something to say, which can only be its end."""
    look = select.poll()
    look.register(sock, select.POLLIN)
    return bool(look.poll(0))
