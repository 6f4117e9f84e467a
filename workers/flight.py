"""One request on its way: its deadline, its turn, and what its sockets have seen."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from shared.settings import FetchLimits
from workers.egress import EgressPolicy
from workers.errors import BadResponse, Cancelled, ConnectionReset, FetchError, FirstByteTimeout, TotalTimeout
from workers.gates import Gate
from workers.marks import Marks

#: bytes of status line and headers
MAX_HEADERS = 256 * 1024
#: seconds that one wait for bytes lasts at most
SLICE = 1.0
#: seconds without a request after which a server may have closed a connection
_IDLE = 0.1

#: bytes, or how many there were
Received = TypeVar("Received", int, bytes)


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
            began = time.monotonic()
            try:
                self._gate(url)
            finally:
                self._resume(began)

    def depart(self) -> None:
        """Starts one request of the flight. Raises Cancelled, TotalTimeout."""
        self.received = 0
        self.marks = Marks()
        self._has_left = False
        #: its connection has lain idle, so the server may have closed it
        self.reused = True
        self.room = MAX_HEADERS
        self.timeout = min(self.limits.first_byte, self.remaining())

    def leave(self, send: Callable[[], None]) -> None:
        """Sends a part of the request: the first one in its turn, and no other goes before it has left."""
        gate = None if self._has_left else self._gate
        if gate is not None:
            began = time.monotonic()
            try:
                gate.go(self._url)
            finally:
                self._resume(began)
            self._has_left = True
        self.started = self.started or time.monotonic()
        try:
            send()
        finally:
            if gate is not None:
                gate.went(self._url)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Waiting for a turn counts neither as the server's time nor against the deadline."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._resume(began)

    def _resume(self, began: float) -> None:
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

    def receive(self, sock: socket.socket, read: Callable[..., Received], *args: Any) -> Received:
        """One bounded `recv` or `recv_into`. Raises the FetchError that says what went wrong."""
        started = time.monotonic()
        while True:
            left = min(self.remaining(), self.timeout - (time.monotonic() - started))
            # in slices, so that a cancel is heard while the server says nothing
            sock.settimeout(max(min(left, SLICE), 0.001))
            try:
                came = read(*args)
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
        self.received += came if isinstance(came, int) else len(came)
        if self.received > self.room:
            raise BadResponse(f"The response headers are larger than {MAX_HEADERS} bytes")
        return came

    def _late(self) -> FetchError:
        if self.deadline - time.monotonic() < 0.005:
            return TotalTimeout(f"The response took longer than {self.limits.total:g} s")
        if self.received:
            return TotalTimeout(f"The response stalled for {self.timeout:g} s")
        return FirstByteTimeout(f"No answer within {self.timeout:g} s")
