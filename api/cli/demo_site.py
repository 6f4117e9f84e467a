"""A small site that has one of everything a crawl report shows."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final

#: pages that exist, the home page included
PAGES: Final = 120
#: distinct links to pages that do not exist
BROKEN: Final = 3
SLOW_PAGE: Final = 42
SLOW_SECONDS: Final = 1.2
REDIRECT: Final = "/old-home"

Answer = tuple[int, dict[str, str], bytes]


def path_of(number: int) -> str:
    """The path of a page; 0 is the home page."""
    return "/" if number == 0 else f"/page-{number}"


def links_of(number: int) -> list[str]:
    """Where a page links to: a tree of three branches, its neighbour, and now and then nowhere."""
    near = [n for n in (number * 3 + 1, number * 3 + 2, number * 3 + 3, (number + 1) % PAGES) if n < PAGES]
    paths = [path_of(n) for n in near]
    if number % (PAGES // BROKEN) == 7:
        paths.append(f"/lost-{number}")
    if number == 5:
        paths.append(REDIRECT)
    return paths


def page(number: int) -> Answer:
    """One page with its links; every other one says that a cache had it."""
    links = "".join(f'<li><a href="{path}">{path}</a></li>' for path in links_of(number))
    html = f"<!doctype html><title>Page {number}</title><h1>Page {number}</h1><ul>{links}</ul>"
    state = "HIT" if number % 2 else "MISS"
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "max-age=60", "X-Cache": state}
    return 200, headers, html.encode()


def answer(path: str, host: str) -> Answer:
    """What the site says at a path."""
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    if path == "/robots.txt":
        return 200, plain, f"User-agent: *\nAllow: /\nSitemap: http://{host}/sitemap.xml\n".encode()
    if path == "/sitemap.xml":
        return 200, {"Content-Type": "application/xml"}, _sitemap(host)
    if path == REDIRECT:
        return 301, {"Location": "/"}, b""
    number = _number(path)
    return (404, plain, b"Not here\n") if number is None else page(number)


def _sitemap(host: str) -> bytes:
    entries = "".join(f"<url><loc>http://{host}{path_of(n)}</loc></url>" for n in range(0, PAGES, 10))
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="{space}">{entries}</urlset>'.encode()


def _number(path: str) -> int | None:
    if path == "/":
        return 0
    text = path.removeprefix("/page-")
    known = path.startswith("/page-") and text.isdigit() and 0 < int(text) < PAGES
    return int(text) if known else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        self._reply(self.wfile.write)

    def do_HEAD(self) -> None:
        self._reply(lambda body: None)

    def _reply(self, send: Callable[[bytes], Any]) -> None:
        path = self.path.partition("?")[0]
        if path == path_of(SLOW_PAGE):
            time.sleep(SLOW_SECONDS)
        status, headers, body = answer(path, self.headers.get("Host", "localhost"))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        send(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class DemoSite:
    """The site, served on a free loopback port inside a `with`."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> "DemoSite":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
