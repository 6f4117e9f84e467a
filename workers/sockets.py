"""requests on guarded sockets: every read ends at the request's deadline, every address is checked.

`timeout=` of requests bounds one read only, so a server that drips bytes could hold a thread for hours.
"""

import socket
import ssl
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from certifi import where
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from shared.settings import FetchLimits
from shared.urls import host_port, split
from workers import leases
from workers.egress import EgressPolicy, connect
from workers.errors import (
    BadResponse,
    Cancelled,
    ConnectionReset,
    ConnectTimeout,
    FetchError,
    FirstByteTimeout,
    TlsError,
    TotalTimeout,
)
from workers.gates import Gate
from workers.marks import Marks

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: bytes of status line and headers
MAX_HEADERS = 256 * 1024
#: hosts whose idle connections are kept
MAX_POOLS = 256
#: seconds that one wait for bytes lasts at most
SLICE = 1.0
#: bytes
_BUFFER = 32 * 1024
#: bytes that the send buffer of a connection takes at once
_SHORT_REQUEST = 8 * 1024
#: seconds without a request after which a server may have closed a connection
_IDLE = 0.1

_local = threading.local()


class Flight:
    """One `Fetcher.get` on its way: its deadline, and what its sockets have seen so far."""

    __slots__ = (
        "_gate",
        "_has_left",
        "_url",
        "cancelled",
        "deadline",
        "limits",
        "marks",
        "policy",
        "received",
        "reused",
        "room",
        "started",
        "timeout",
    )

    def __init__(
        self,
        limits: FetchLimits,
        policy: EgressPolicy,
        cancelled: Callable[[], bool] | None,
        gate: Gate | None = None,
    ) -> None:
        self.limits, self.policy, self.cancelled = limits, policy, cancelled
        self._gate, self._url = gate, ""
        self.deadline = time.monotonic() + limits.total
        #: monotonic moment of the first byte sent, 0 before
        self.started = 0.0
        self.depart()

    def enter(self, url: str) -> None:
        """Waits until a connection for a request to `url` may be taken. Raises as the gate does."""
        self._url = url
        if self._gate is not None:
            with self.paused():
                self._gate(url)

    def depart(self) -> None:
        """Starts one request of the flight. Raises Cancelled, TotalTimeout."""
        self.received = 0
        self.marks = Marks()
        self._has_left = False
        #: its connection has lain idle, so the server may have closed it
        self.reused = True
        self.room = MAX_HEADERS
        self.timeout = min(self.limits.first_byte, self.remaining())
        _local.flight = self

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Sends a part of the request: the first one in its turn, and no other goes before it has left."""
        if self._has_left or self._gate is None:
            self.started = self.started or time.monotonic()
            yield
            return
        with self.paused():
            self._gate.go(self._url)
        self._has_left = True
        self.started = self.started or time.monotonic()
        try:
            yield
        finally:
            self._gate.went(self._url)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Waiting for a turn counts neither as the server's time nor against the deadline."""
        began = time.monotonic()
        try:
            yield
        finally:
            waited = time.monotonic() - began
            self.deadline += waited
            if self.started:
                self.started += waited
            self.reused = self.reused or waited > _IDLE

    def remaining(self) -> float:
        """Seconds to the deadline, above 0. Raises TotalTimeout after it, Cancelled when asked to stop."""
        if self.cancelled is not None and self.cancelled():
            raise Cancelled
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TotalTimeout(f"The response took longer than {self.limits.total:g} s")
        return left

    def receive(self, sock: socket.socket, read: Callable[..., int], *args: Any) -> int:
        """One bounded `recv_into`. Raises the FetchError that says what went wrong."""
        started = time.monotonic()
        while True:
            left = min(self.remaining(), self.timeout - (time.monotonic() - started))
            # in slices, so that a cancel is heard while the server says nothing
            sock.settimeout(max(min(left, SLICE), 0.001))
            try:
                count = read(*args)
                break
            except TimeoutError:
                if left <= SLICE:
                    raise self._late() from None
            except ssl.SSLError as error:
                raise ConnectionReset(f"TLS connection broken: {error.reason or error}") from None
            except OSError as error:
                raise ConnectionReset(f"Connection broken: {error.strerror or error}") from None
        if not self.received:
            self.marks.answered = time.monotonic()
        self.received += count
        if self.received > self.room:
            raise BadResponse(f"The response headers are larger than {MAX_HEADERS} bytes")
        return count

    def _late(self) -> FetchError:
        if self.deadline - time.monotonic() < 0.005:
            return TotalTimeout(f"The response took longer than {self.limits.total:g} s")
        if self.received:
            return TotalTimeout(f"The response stalled for {self.timeout:g} s")
        return FirstByteTimeout(f"No answer within {self.timeout:g} s")


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
        flight: Flight = _local.flight
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
        flight: Flight = _local.flight
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
            _local.flight.marks.secured = time.monotonic()
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
        _local.flight.room = sys.maxsize
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
