"""Web sites on loopback for tests and the demo, in threads of this process; some misbehave on purpose.

`python -m tests.site --pages 200 --port 0` serves one and prints its URL.
"""

import argparse
import contextlib
import mimetypes
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import unquote

#: status, headers, body; `{origin}` in the body of a page becomes the site's `http://host:port`
Page = tuple[int, dict[str, str], bytes]
#: answers on the bare socket, which is closed afterwards; the event is set when the site closes
Raw = Callable[[socket.socket, threading.Event], None]
#: a page made per request from its path
Made = Callable[[str], Page | None]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the site saw it."""

    path: str
    #: time.monotonic() at its arrival
    at: float
    #: names in lower case
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""
    #: seconds since the epoch at which its bytes reached this machine, by the kernel; 0 where it does not say
    arrived: float = 0.0


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """A page served by a raw function."""

    serve: Raw


class Site:
    """A server of `pages` (path with query → page); `fallback` makes those that are not listed."""

    def __init__(
        self,
        pages: Mapping[str, Page | Misbehaviour] | None = None,
        *,
        fallback: Made = lambda path: None,
        delay: float = 0.0,
        port: int = 0,
        address: str = "127.0.0.1",
    ) -> None:
        """`delay`: seconds before each answer. `port` 0 takes a free one."""
        self.pages: dict[str, Page | Misbehaviour] = dict(pages or {})
        self.fallback = fallback
        self.delay = delay
        self.closing = threading.Event()
        #: requests that are being answered, and the most that were at a time
        self.active = self.max_concurrent = 0
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        self._server = _Server((address, port), _Handler)
        self._server.site = self

    @property
    def host(self) -> str:
        """`address:port`."""
        return "{}:{}".format(*self._server.server_address[:2])

    def url(self, path: str = "/") -> str:
        """The absolute URL of a path."""
        return f"http://{self.host}{path}"

    @property
    def requests(self) -> list[Request]:
        """All requests so far, in order of arrival."""
        with self._lock:
            return list(self._requests)

    def paths(self) -> list[str]:
        """The paths requested so far, in order."""
        return [request.path for request in self.requests]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @contextlib.contextmanager
    def recording(
        self, path: str, headers: Message, method: str = "GET", body: bytes = b"", arrived: float = 0.0
    ) -> Iterator[None]:
        """Counts a request while it is being answered."""
        lower = {k.lower(): v for k, v in headers.items()}
        with self._lock:
            self._requests.append(Request(path, time.monotonic(), lower, method, body, arrived))
            self.active += 1
            self.max_concurrent = max(self.max_concurrent, self.active)
        try:
            yield
        finally:
            with self._lock:
                self.active -= 1

    def page(self, path: str) -> Page | Misbehaviour:
        """What to serve at `path`; 404 where there is nothing."""
        found = self.pages.get(path) or self.fallback(path) or html("Not found", status=404)
        if isinstance(found, tuple) and b"{origin}" in found[2]:
            return found[0], found[1], found[2].replace(b"{origin}", self.url("").encode())
        return found


#: of Linux; Python has no name for it
_SO_TIMESTAMPNS = 35


class _Server(ThreadingHTTPServer):
    site: Site
    daemon_threads = True
    request_queue_size = 256
    block_on_close = False

    def server_bind(self) -> None:
        """The connections inherit it: each says when its bytes came."""
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        super().server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout: ClassVar[float] = 60.0

    def handle_one_request(self) -> None:
        """Looks at when the request's bytes came, before they are read."""
        self._arrived = 0.0
        with contextlib.suppress(OSError):
            # of the bare socket: under TLS it is what is encrypted that comes
            notes = socket.socket.recvmsg(self.connection, 65_536, 64, socket.MSG_PEEK)[1]
            self._arrived = next((_seconds(data) for _, kind, data in notes if kind == _SO_TIMESTAMPNS), 0.0)
        super().handle_one_request()

    def do_GET(self) -> None:
        site = self.server.site
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with site.recording(self.path, self.headers, self.command, body, self._arrived):
            if site.delay:
                site.closing.wait(site.delay)
            page = site.page(self.path)
            if isinstance(page, Misbehaviour):
                self._misbehave(page)
                return
        # counted as answered before the client can know it, so that `max_concurrent` is never too high
        self._send(*page)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def _misbehave(self, page: Misbehaviour) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            page.serve(self.connection, self.server.site.closing)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: `Site.requests` is the log."""


def _seconds(timespec: bytes) -> float:
    seconds, nanoseconds = struct.unpack("qq", timespec)
    return float(seconds + nanoseconds / 1e9)


def html(text: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Page:
    """An HTML page holding `text`."""
    body = f"<!doctype html><title>{text[:50]}</title><body>{text}</body>".encode()
    return status, {"Content-Type": "text/html; charset=utf-8", **(headers or {})}, body


def redirect(to: str, status: int = 302) -> Page:
    """A redirect to `to`."""
    return status, {"Location": to}, b""


def linked_site(
    n: int, links_per_page: int = 10, *, robots: str | None = None, sitemap: bool = False, size: int = 0
) -> dict[str, Page | Misbehaviour]:
    """A site of exactly `n` pages, each reachable from `/`; pages are padded to about `size` bytes."""
    pages: dict[str, Page | Misbehaviour] = {_path(i): _linked(i, n, links_per_page, size) for i in range(n)}
    if robots is not None:
        pages["/robots.txt"] = (200, {"Content-Type": "text/plain"}, robots.encode())
    if sitemap:
        locs = "".join(f"<url><loc>{{origin}}{_path(i)}</loc></url>" for i in range(n))
        xml = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locs}</urlset>'
        pages["/sitemap.xml"] = (200, {"Content-Type": "application/xml"}, xml.encode())
    return pages


def _path(i: int) -> str:
    return f"/page/{i}" if i else "/"


def _linked(i: int, n: int, links: int, size: int) -> Page:
    children = [i * links + k for k in range(1, links + 1)]  # a heap: every page has a parent
    targets = [j for j in children if j < n] or [(i * 7 + k) % n for k in range(links)]
    menu = "".join(f'<li><a href="{_path(j)}">Page {j}</a></li>' for j in targets)
    text = "".join(f"<p>Paragraph {k} of page {i}, which says little.</p>" for k in range(size // 50))
    return html(f"<h1>Page {i}</h1><ul>{menu}</ul>{text}")


def serve_folder(path: str | Path, *, delay: float = 0.0, port: int = 0) -> Site:
    """A site of the files below `path`: index.html for a folder, 404 for what is not there.

    A folder without its slash is redirected, as servers do: relative links would lead astray.
    """
    root = Path(path).resolve()

    def page(url_path: str) -> Page | None:
        name = url_path.partition("?")[0]
        file = (root / unquote(name).lstrip("/")).resolve()
        if file.is_dir() and not name.endswith("/"):
            return redirect(name + "/", 301)
        file = file / "index.html" if file.is_dir() else file
        if not file.is_relative_to(root) or not file.is_file():
            return None
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return 200, {"Content-Type": kind}, file.read_bytes()

    return Site(fallback=page, delay=delay, port=port)


def raw(answer: bytes) -> Misbehaviour:
    """Sends exactly these bytes and closes."""
    return Misbehaviour(lambda sock, closing: sock.sendall(answer))


def drip(head: bytes, piece: bytes, every: float = 0.05) -> Misbehaviour:
    """Sends `head`, then `piece` every so many seconds for ever."""

    def serve(sock: socket.socket, closing: threading.Event) -> None:
        sock.sendall(head)
        while not closing.wait(every):
            sock.sendall(piece)

    return Misbehaviour(serve)


def header_drip() -> Misbehaviour:
    """Headers that never end, a few bytes at a time."""
    return drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a")


def body_drip() -> Misbehaviour:
    """A promised body that comes a byte at a time."""
    return drip(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n", b"a")


def late(body: bytes, seconds: float) -> Misbehaviour:
    """An HTML page that is sent after so many seconds, all at once."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    def serve(sock: socket.socket, closing: threading.Event) -> None:
        if not closing.wait(seconds):
            sock.sendall(head + body)

    return Misbehaviour(serve)


def silence() -> Misbehaviour:
    """Accepts the request and never answers."""
    return drip(b"", b"", 60)


def endless_body() -> Misbehaviour:
    """A chunked body without end, as fast as it is taken."""
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    return drip(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n", chunk, 0.0)


def reset() -> Misbehaviour:
    """Resets the connection instead of answering."""

    def serve(sock: socket.socket, closing: threading.Event) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()

    return Misbehaviour(serve)


def main() -> None:
    """Serves a linked site, or a folder, until interrupted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--links", type=int, default=10)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--folder", help="serve these files instead")
    args = parser.parse_args()
    if args.folder:
        site = serve_folder(args.folder, delay=args.delay, port=args.port)
    else:
        pages = linked_site(args.pages, args.links, robots="User-agent: *\nAllow: /\n", sitemap=True, size=5_000)
        site = Site(pages, delay=args.delay, port=args.port)
    with site, contextlib.suppress(KeyboardInterrupt):
        print(site.url(), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
