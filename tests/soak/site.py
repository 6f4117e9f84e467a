"""The site of one crawl, a process of its own that writes each request's start and end to a file.

`python -m tests.soak.site --pages 2000 --seed 1 --log FILE` prints its port.
"""

import argparse
import random
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, TextIO

_LINKS = 10
_SITEMAPS = 4


def path_of(i: int) -> str:
    """The path of page i."""
    return f"/page/{i}" if i else "/"


def is_missing(i: int, pages: int) -> bool:
    """Whether page i is a 404: only leaves are, so that no page is out of reach."""
    return i % 97 == 13 and i * _LINKS + 1 >= pages


def is_flaky(i: int) -> bool:
    """Whether page i answers 503 to its first request."""
    return i % 89 == 21


def is_edited(i: int) -> bool:
    """Whether page i reads differently in each version of the site."""
    return i % 50 == 7


class Pages:
    """What is served, how slowly, and the log."""

    def __init__(self, pages: int, seed: int, version: int, log: TextIO) -> None:
        self.pages, self.version, self.origin = pages, version, ""
        self._log = log
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._asked: set[str] = set()
        self._delays = random.Random(seed)

    def begin(self, path: str) -> tuple[int, bool, float]:
        """Logs an arrival: its number, whether it is the path's first, and how long the answer takes."""
        with self._lock:
            number, first = next(self._numbers), path not in self._asked
            self._asked.add(path)
            slow = path.startswith("/page/") and self._delays.random() < 0.01
            delay = self._delays.uniform(4, 7) if slow else self._delays.uniform(0.1, 0.6)
            self._write("S", number, path)
        return number, first, 1.5 if path.startswith("/map/") else delay

    def end(self, number: int, path: str) -> None:
        """Logs that the answer is about to be sent."""
        with self._lock:
            self._write("E", number, path)

    def _write(self, what: str, number: int, path: str) -> None:
        self._log.write(f"{what} {number} {time.time():.6f} {path}\n")
        self._log.flush()

    def answer(self, path: str, first: bool) -> tuple[int, Mapping[str, str], str]:
        """Status, headers and body."""
        if path == "/robots.txt":
            return 200, {"Content-Type": "text/plain"}, f"User-agent: *\nSitemap: {self.origin}/sitemap.xml\n"
        if path == "/sitemap.xml":
            return 200, {"Content-Type": "application/xml"}, self._index()
        if path.startswith("/map/"):
            return 200, {"Content-Type": "application/xml"}, self._sitemap(int(path.removeprefix("/map/")))
        i = 0 if path == "/" else int(path.removeprefix("/page/"))
        if is_missing(i, self.pages):
            return 404, {"Content-Type": "text/html"}, "gone"
        if is_flaky(i) and first:
            return 503, {"Content-Type": "text/html", "Retry-After": "1"}, "busy"
        return 200, {"Content-Type": "text/html"}, self._page(i)

    def _index(self) -> str:
        maps = "".join(f"<sitemap><loc>{self.origin}/map/{n}</loc></sitemap>" for n in range(_SITEMAPS))
        return f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{maps}</sitemapindex>'

    def _sitemap(self, n: int) -> str:
        locations = "".join(f"<url><loc>{self.origin}{path_of(i)}</loc></url>" for i in range(n, self.pages, _SITEMAPS))
        return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locations}</urlset>'

    def _page(self, i: int) -> str:
        children = [i * _LINKS + k for k in range(1, _LINKS + 1)]  # a heap: every page has a parent
        targets = [j for j in children if j < self.pages] or [(i * 7 + k) % self.pages for k in range(_LINKS)]
        menu = "".join(f'<li><a href="{path_of(j)}">Page {j}</a></li>' for j in targets)
        text = f"<p>This is version {self.version}</p>" if is_edited(i) else ""
        return f"<!doctype html><title>Page {i}</title><h1>Page {i}</h1>{text}<ul>{menu}</ul>"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, pages: Pages, port: int) -> None:
        self.pages = pages
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed are the point."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 90.0

    def do_GET(self) -> None:
        pages = self.server.pages
        number, first, delay = pages.begin(self.path)
        time.sleep(delay)
        status, headers, body = pages.answer(self.path, first)
        pages.end(number, self.path)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the file is the log."""


def main() -> None:
    """Serves until killed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pages", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    args = parser.parse_args()
    with args.log.open("w") as log:
        pages = Pages(args.pages, args.seed, args.version, log)
        server = _Server(pages, args.port)
        pages.origin = f"http://127.0.0.1:{server.server_address[1]}"
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
