"""The sites that are crawled: 3,000 files on nginx, and a server that takes its time."""

import asyncio
import contextlib
import random
import selectors
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from shared.ports import free_port
from tests.waiting import until

LINKS = 55
MENU = 20
WORDS = ("crawl", "page", "link", "server", "yard", "index", "frontier", "queue", "table", "answer", "letter", "river")
_CONF = """daemon off; master_process off; pid nginx.pid; error_log nginx.log error;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000; types {{ text/html html; }}
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  server {{ listen 127.0.0.1:{port}{tls}; root site; {certificate} }} }}
"""
#: pages that the slow server makes before it listens: more than are asked of it in a run
_MADE = 16_000
_CERTIFICATE = "ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_session_tickets off;"


def body(n: int, pages: int) -> bytes:
    """Page n of a site: a menu of twenty links, thirty-five others, 9 kB of text."""
    rng = random.Random(n)
    others = [(n * 35 + k + 1) % pages for k in range(LINKS - MENU)]
    menu = "".join(f'<li><a href="/p{k % pages}.html">Chapter {k}</a></li>' for k in range(MENU))
    text = "".join(
        f'<p>{" ".join(rng.choices(WORDS, k=40))} <a href="/p{other}.html">page {other}</a></p>' for other in others
    )
    head = f'<meta charset="utf-8"><title>Page {n} of {pages}</title><meta name="description" content="The {n}th">'
    return (
        f"<!doctype html><html><head>{head}</head><body><ul>{menu}</ul><h1>Page {n}</h1>{text}</body></html>".encode()
    )


def folder(cache: Path, pages: int) -> Path:
    """A folder with such a site in `site`, made once."""
    made = cache / f"site-{pages}"
    if not (made / "ready").exists():
        shutil.rmtree(made, ignore_errors=True)
        (made / "site").mkdir(parents=True)
        for n in range(pages):
            (made / "site" / f"p{n}.html").write_bytes(body(n, pages))
        shutil.copy(made / "site" / "p0.html", made / "site" / "index.html")
        (made / "ready").touch()
    return made


@contextlib.contextmanager
def nginx(cache: Path, pages: int, tls: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Serves the site; yields host:port. `tls`: certificate and key, as PEM files."""
    port, home = free_port(), folder(cache, pages)
    certificate = _CERTIFICATE if tls else ""
    if tls:
        shutil.copy(tls[0], home / "cert.pem")
        shutil.copy(tls[1], home / "key.pem")
    conf = home / f"nginx-{port}.conf"
    conf.write_text(_CONF.format(port=port, tls=" ssl" if tls else "", certificate=certificate))
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    command = ["setpriv", "--pdeathsig", "TERM", binary, "-p", str(home), "-c", str(conf)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        listening(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        conf.unlink()


@contextlib.contextmanager
def slow(pages: int, seconds: float, hosts: int = 1) -> Iterator[list[str]]:
    """Servers in one process, the nth of which takes n times `seconds` for an answer; host:port of each."""
    command = ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "tests.bench.sites"]
    process = subprocess.Popen([*command, str(pages), str(seconds), str(hosts)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        # its ports, once it listens on all of them
        yield [f"127.0.0.1:{port}" for port in process.stdout.readline().split()]
    finally:
        process.terminate()
        process.wait(10)


def listening(port: int) -> None:
    """Waits until somebody listens on the port. Raises AssertionError when nobody does."""

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(answers, 15, f"nothing listens on port {port}")


class _Slow(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as little of it as a crawler needs."""

    def __init__(self, pages: int, seconds: float, made: dict[str, bytes]) -> None:
        self._pages, self._seconds, self._made = pages, seconds, made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        path = data.split(b" ", 2)[1].decode()
        delay = 0.0 if path == "/robots.txt" else self._seconds
        asyncio.get_running_loop().call_later(delay, self._answer, path)

    def _answer(self, path: str) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        if path not in self._made:
            number = path.removeprefix("/p").removesuffix(".html")
            self._made[path] = _page(int(number) if number.isdigit() else None, self._pages)
        self._transport.write(self._made[path])


def _page(n: int | None, pages: int) -> bytes:
    """The answer for page n."""
    found = n is not None and n < pages
    content = body(n, pages) if n is not None and found else b"Not found"
    status = "200 OK" if found else "404 Not Found"
    return f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def _loop() -> asyncio.SelectorEventLoop:
    """One whose timers are exact: epoll's are rounded up to milliseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def _serve(pages: int, seconds: float, hosts: int) -> None:
    # before anything is measured: its time is that of the processes beside it
    made = {f"/p{n}.html": _page(n, pages) for n in range(min(pages, _MADE))}
    made["/"] = made["/p0.html"]
    loop = asyncio.get_running_loop()
    ports: list[int] = []
    for nth in range(1, hosts + 1):
        server = await loop.create_server(partial(_Slow, pages, nth * seconds, made), "127.0.0.1", backlog=512)
        ports.append(server.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
