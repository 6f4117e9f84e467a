"""A site of any size that needs no disk: its pages are made as they are asked for, each time the same.

For crawls that nginx would have to read from disk: a crawler that waits for its server works in smaller groups.
"""

import asyncio
import contextlib
import random
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from tests.bench.sites import LINKS, MENU, WORDS

#: paragraphs to choose from
_TEXTS = 5_000
#: what nginx sends with a file, except that the day is always the same
_HEAD = (
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Type: text/html\r\n"
    "Content-Length: {length}\r\nLast-Modified: Sun, 22 Nov 2026 12:00:00 GMT\r\nConnection: keep-alive\r\n"
    'ETag: "{tag:x}-{length:x}"\r\nAccept-Ranges: bytes\r\n\r\n'
)
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nNot found"


class Pages:
    """The answers of a site: like `sites.body`, a menu of twenty links, thirty-five others, 9 kB of text.

    Numbers have seven digits: a page has as many bytes in a small site as in a large one.
    """

    def __init__(self, pages: int) -> None:
        rng = random.Random(pages)
        self._texts = [f"<p>{' '.join(rng.choices(WORDS, k=40))}" for _ in range(_TEXTS)]
        self._menu = "".join(f'<li><a href="/p{k % pages:07}.html">Chapter {k}</a></li>' for k in range(MENU))
        self._pages = pages

    def answer(self, path: str) -> bytes:
        """The whole answer for a path, with the head."""
        number = "0" if path == "/" else path.removeprefix("/p").removesuffix(".html")
        if not number.isdigit() or int(number) >= self._pages:
            return _NOT_FOUND
        n = int(number)
        body = self._body(n).encode()
        return _HEAD.format(length=len(body), tag=n).encode() + body

    def _body(self, n: int) -> str:
        pages, texts = self._pages, self._texts
        text = "".join(
            f'{texts[(n * 7919 + k * 31) % _TEXTS]} <a href="/p{other:07}.html">page {other:07}</a></p>'
            for k, other in enumerate((n * 35 + k + 1) % pages for k in range(LINKS - MENU))
        )
        head = f'<meta charset="utf-8"><title>Page {n:07}</title><meta name="description" content="The {n:07}th">'
        said = f"<ul>{self._menu}</ul><h1>Page {n:07}</h1>{text}"
        return f"<!doctype html><html><head>{head}</head><body>{said}</body></html>"


@contextlib.contextmanager
def site(pages: int) -> Iterator[str]:
    """Serves so many pages from one process; yields host:port."""
    command = ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "tests.bench.endless", str(pages)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)


class _Server(asyncio.Protocol):
    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        # a crawler's request is one packet, and it waits for the answer
        self._transport.write(self._pages.answer(data.split(b" ", 2)[1].decode()))


async def _serve(pages: int) -> None:
    made = Pages(pages)
    server = await asyncio.get_running_loop().create_server(partial(_Server, made), "127.0.0.1", backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
