"""requests on guarded sockets: every read ends at the request's deadline, every address is checked.

`timeout=` of requests bounds one read only, so a server that drips bytes could hold a thread for hours.
"""

import socket
import ssl
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from certifi import where
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from shared.urls import host_port, split
from workers import leases
from workers.egress import connect
from workers.errors import (
    ConnectionReset,
    ConnectTimeout,
    TlsError,
)
from workers.flight import Flight, current

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: hosts whose idle connections are kept
MAX_POOLS = 256
#: bytes
_BUFFER = 32 * 1024
#: bytes that the send buffer of a connection takes at once
_SHORT_REQUEST = 8 * 1024


class _Socket(socket.socket):
    """Each system call lets go of the interpreter, and taking it back may be two switches of threads: fewer of them."""

    flight: Flight

    def settimeout(self, value: float | None) -> None:
        """As ever; urllib3 and we set it several times a request, mostly to what it is."""
        if value != self.gettimeout():
            super().settimeout(value)

    def makefile(self, mode: Any = "r", buffering: int | None = None, **options: Any) -> Any:
        """As ever, with a buffer that takes the whole of most pages."""
        return super().makefile(mode, _BUFFER if buffering is None else buffering, **options)


class _PlainSocket(_Socket):
    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        return self.flight.receive(self, super().recv_into, buffer, nbytes, flags)


class _TlsSocket(_Socket, ssl.SSLSocket):
    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        return self.flight.receive(self, super().recv_into, buffer, nbytes, flags)


class _Guarded(HTTPConnection):
    """Connects through the egress policy and hands the thread's flight to its socket."""

    def _new_conn(self) -> socket.socket:
        flight = current()
        flight.reused = False
        timeout = min(flight.limits.connect, flight.remaining())
        marks = flight.marks
        marks.began = time.monotonic()
        sock = connect(_PlainSocket, self._dns_host, self.port, flight.policy, timeout, marks.note_resolved)
        marks.connected = time.monotonic()
        return sock

    def send(self, data: "ReadableBuffer | Any") -> None:
        if self.sock is None:
            self.connect()
        flight = current()
        cast(_PlainSocket, self.sock).flight = flight
        with flight.leaving():
            if isinstance(data, bytes) and len(data) > _SHORT_REQUEST:
                self.sock.settimeout(flight.remaining())
            leases.check()  # as late as can be: what follows is one system call
            super().send(data)
            flight.marks.sent = time.monotonic()


class _GuardedTls(_Guarded, HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
            current().marks.secured = time.monotonic()
        except TimeoutError:
            raise ConnectTimeout(f"No TLS handshake with {self.host} in time") from None
        except ssl.SSLError as error:
            raise TlsError(f"TLS with {self.host}: {getattr(error, 'verify_message', '') or error}") from None
        except OSError as error:
            raise ConnectionReset(f"{self.host} broke off the TLS handshake: {error.strerror or error}") from None


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTls


class LeanAdapter(HTTPAdapter):
    """HTTPAdapter without cookies, proxies and per-request URL parsing; `request.url` must be canonical."""

    def __init__(self, size: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self._size = size
        self._tls = tls or ssl.create_default_context()
        if tls is None:
            self._tls.load_verify_locations(where())
        self._tls.sslsocket_class = _TlsSocket
        self._pools: OrderedDict[str, HTTPConnectionPool] = OrderedDict()
        self._lock = threading.Lock()

    def get_connection_with_tls_context(self, request: PreparedRequest, *_: Any, **__: Any) -> HTTPConnectionPool:
        """The pool of the request's origin; the one unused longest makes room for a new one."""
        origin = split(cast(str, request.url))[0]
        with self._lock:
            pool = self._pools.get(origin) or self._pools.setdefault(origin, self._pool(origin))
            self._pools.move_to_end(origin)
            old = self._pools.popitem(last=False)[1] if len(self._pools) > MAX_POOLS else None
        if old is not None:
            old.close()
        return pool

    def _pool(self, origin: str) -> HTTPConnectionPool:
        scheme, _, authority = origin.partition("://")
        host, port = host_port(authority)
        number = int(port) if port else None
        if scheme == "https":
            return _TlsPool(host, number, maxsize=self._size, ssl_context=self._tls)
        return _Pool(host, number, maxsize=self._size)

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The shared context verifies; nothing to set up per request."""

    def request_url(self, request: PreparedRequest, proxies: Mapping[str, str] | None = None) -> str:
        """Path with query, as it stands in the canonical URL."""
        return split(cast(str, request.url))[1]

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Only what Fetcher reads; from here on the body may be of any size."""
        current().room = sys.maxsize
        response = Response()
        response.status_code = resp.status
        response.raw = resp
        return response

    def close(self) -> None:
        """Closes the idle connections of all hosts."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            pool.close()
        super().close()
