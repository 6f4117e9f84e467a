"""The one way out: every page, robots.txt, sitemap, webhook and analytics request is made by a `Fetcher`.

`tests/unit/test_one_egress.py` and `tests/integration/test_one_egress.py` fail where other code opens a connection.
"""

import http.client
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from ssl import SSLContext
from typing import NamedTuple
from urllib.parse import quote

from shared.answers import Phases
from shared.errors import InvalidUrl
from shared.records import record
from shared.settings import FetchLimits
from shared.urls import canonicalise, split
from workers import messages
from workers.answers import REDIRECTS, Answer, read
from workers.causes import translated
from workers.decode import ACCEPT_ENCODING, decode
from workers.egress import EgressPolicy
from workers.errors import (
    BadUrl,
    BodyTooLarge,
    ConnectionReset,
    RedirectLoop,
    TooManyRedirects,
    TurnLost,
)
from workers.flight import Flight
from workers.gates import Gate
from workers.large import LARGE
from workers.sockets import Connections, GuardedSocket, send

_ASCII = "".join(map(chr, range(128)))
#: never sent to another address than the one they were given for
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "if-none-match", "if-modified-since"})


#: told the URL of each hop of a `get`: the headers to send there; raises a FetchError to go no further
Guide = Callable[[str], Mapping[str, str]]


class Hop(NamedTuple):
    """One redirect that was followed."""

    url: str
    status_code: int
    #: canonical
    location: str
    #: of the answer that redirected, as those of a `Response`
    headers: Mapping[str, str] = {}


@record(frozen=True, slots=True)
class Response:
    """The answer after all redirects."""

    #: canonical
    url: str
    status_code: int
    #: names in lower case, repeated ones joined by a comma
    headers: dict[str, str]
    #: decoded; empty for images, videos and other types that nobody reads
    body: bytes
    #: of the body as sent
    bytes_received: int
    #: milliseconds from the first byte sent to the last byte received, redirects included
    elapsed_ms: int
    history: tuple[Hop, ...] = ()
    #: of the last request
    phases: Phases | None = None

    @property
    def content_type(self) -> str | None:
        """The Content-Type header as sent."""
        return self.headers.get("content-type")


class _Call(NamedTuple):
    """What stays the same over all hops of one `get` or `send`."""

    flight: Flight
    headers: Mapping[str, str] | None
    limits: FetchLimits
    follow: bool = True
    method: str = "GET"
    content: bytes | None = None
    #: a body over the limit ends there instead of being an error
    cut: bool = False
    guide: Guide | None = None
    large: Callable[[], None] | None = None

    def is_large(self) -> None:
        """The body is a large one: it may have to wait for room."""
        if self.large is not None:
            with self.flight.paused():
                self.large()


class Fetcher:
    """A guarded HTTP client, shared by all threads of a process. Keeps connections, no cookies."""

    def __init__(
        self,
        limits: FetchLimits,
        policy: EgressPolicy,
        user_agent: str,
        pool: int = 32,
        tls: SSLContext | None = None,
        keep_alive: bool = True,
    ) -> None:
        """`pool` idle connections are kept per host; `tls` replaces the public certificate authorities.

        Without `keep_alive` no connection outlives its request.
        """
        self.limits = limits
        self._policy = policy
        self._headers = {"user-agent": user_agent, "accept": "*/*", "accept-encoding": ACCEPT_ENCODING}
        if not keep_alive:
            self._headers["connection"] = "close"
        self._connections = Connections(pool if keep_alive else 0, tls)

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        cancelled: Callable[[], bool] | None = None,
        max_body: int | None = None,
        follow: bool = True,
        cut: bool = False,
        guide: Guide | None = None,
        gate: Gate | None = None,
        large: Callable[[], None] | None = None,
    ) -> Response:
        """Fetches `url`, following redirects to http and https unless `follow` is off; `gate` lets each hop go.

        `guide` says what to send to each hop, `headers` what to send to all. `max_body` (bytes, as sent) replaces
        the limit, and with `cut` only as much is read; `cancelled` is asked before each hop and read. `large` waits for
        room, once a body is large.
        Raises a FetchError of workers.errors for whatever goes wrong, never for a status code.
        """
        limits = self.limits if max_body is None else replace(self.limits, body=max_body)
        call = _Call(
            Flight(limits, self._policy, cancelled, gate), headers, limits, follow, cut=cut, guide=guide, large=large
        )
        try:
            return self._followed(self._target(url, None), call)
        finally:
            if gate is not None:
                gate.close()

    def _followed(self, target: str, call: _Call) -> Response:
        hops: list[Hop] = []
        while True:
            answer = self._answer(target, call, bool(hops))
            location = answer.headers.get("location") if call.follow and answer.status in REDIRECTS else None
            if not location:
                return _response(target, answer, call, tuple(hops))
            hops.append(Hop(target, answer.status, self._target(_as_utf8(location), target), answer.headers))
            target = self._next(hops, call.limits.redirects)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        limits: FetchLimits | None = None,
        cancelled: Callable[[], bool] | None = None,
        cut: bool = False,
    ) -> Response:
        """One request to a service (a webhook, an API), its body being `content`; redirects are not followed.

        `limits` replaces those of crawling; `cut` takes the beginning of a body that is over them. Where a kept
        connection turns out to be closed the request is sent once more, so give it an id if it must not be
        carried out twice. Raises as `get` does.
        """
        bounds = limits or self.limits
        call = _Call(Flight(bounds, self._policy, cancelled), headers, bounds, False, method, content, cut)
        target = self._target(url, None)
        return _response(target, self._answer(target, call, False), call, ())

    def close(self) -> None:
        """Closes idle connections."""
        self._connections.close()

    @staticmethod
    def _target(url: str, base: str | None) -> str:
        try:
            return canonicalise(url, base)
        except InvalidUrl as error:
            raise BadUrl(f"Redirect to a bad URL: {error.message}" if base else error.message) from None

    @staticmethod
    def _next(hops: list[Hop], limit: int) -> str:
        target = hops[-1].location
        if any(hop.url == target for hop in hops):
            raise RedirectLoop(f"Redirect loop at {target}")
        if len(hops) > limit:
            raise TooManyRedirects(f"More than {limit} redirects")
        return target

    def _answer(self, url: str, call: _Call, redirected: bool) -> Answer:
        flight, again = call.flight, False
        while True:
            flight.enter(url)
            try:
                return self._exchange(url, self._headers_to(url, call, redirected), call)
            except TurnLost:
                pass  # nothing was sent
            except ConnectionReset:
                # The server closed an idle connection as we took it: nobody has seen this request yet.
                if again or not flight.reused or flight.received:
                    raise
                again = True

    def _headers_to(self, url: str, call: _Call, redirected: bool) -> dict[str, str]:
        extra = {k.lower(): v for k, v in (call.headers or {}).items()}
        if redirected:
            extra = {k: v for k, v in extra.items() if k not in _PRIVATE_HEADERS}
        if call.guide is not None:
            extra |= call.guide(url)
        if call.content is not None or call.method == "POST":
            extra["content-length"] = str(len(call.content or b""))
        return {**self._headers, **extra}

    def _exchange(self, url: str, headers: Mapping[str, str], call: _Call) -> Answer:
        call.flight.depart()
        origin, _ = split(url)
        sock, is_kept = self._connections.take(origin, call.flight), False
        try:
            message = self._asked(sock, url, headers, call)
            answer = read(message, call.limits.body, call.follow, call.cut, call.is_large if call.large else None)
            is_kept = message.is_kept()
            return answer
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise translated(error) from None
        finally:
            if is_kept:
                self._connections.keep(origin, sock)
            else:
                sock.close()

    @staticmethod
    def _asked(sock: GuardedSocket, url: str, headers: Mapping[str, str], call: _Call) -> messages.Message:
        send(sock, call.flight, messages.head(call.method, url, headers) + (call.content or b""))
        message = messages.read(sock, call.method)
        call.flight.room = sys.maxsize  # from here on the body may be of any size
        return message


def _response(url: str, answer: Answer, call: _Call, hops: tuple[Hop, ...]) -> Response:
    ended = time.monotonic()
    elapsed = round((ended - call.flight.started) * 1000)
    phases = call.flight.marks.phases(ended)
    coding = answer.headers.get("content-encoding")
    body = _decoded(answer.body, coding, call) if coding and answer.body else answer.body
    return Response(url, answer.status, answer.headers, body, answer.received, elapsed, hops, phases)


def _decoded(body: bytes, coding: str, call: _Call) -> bytes:
    """Most bodies are small: only one that is not waits for room, and is then decoded anew."""
    if call.large is not None and call.limits.decoded > LARGE:
        with suppress(BodyTooLarge):
            return decode(body, coding, LARGE)
        call.is_large()
    return decode(body, coding, call.limits.decoded)


def _as_utf8(header: str) -> str:
    """Locations come as raw UTF-8, which http.client reads as latin-1; other bytes stay what they are, escaped."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return quote(header, safe=_ASCII, encoding="latin-1", errors="replace")
