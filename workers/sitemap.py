"""Sitemaps (sitemaps.org): XML, indexes, gzip, plain text, RSS and Atom, read piece by piece."""

import re
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from lxml import etree

from shared.errors import InvalidUrl
from shared.urls import MAX_URL, canonicalise
from workers.errors import BadResponse, BodyTooLarge, Cancelled, FetchError, one_line
from workers.fetch import Fetcher, Guide, Response
from workers.gates import Gate
from workers.large import Place, Places

#: bytes of one file, as sent and unpacked
MAX_FILE = 50_000_000
MAX_FILES = 1_000
#: an index in an index in an index
MAX_DEPTH = 3
#: files that could not be fetched; each may have cost half a minute, so the others are not tried
MAX_UNFETCHED = 5
#: problems kept
MAX_PROBLEMS = 100

_CHUNK = 65_536
_ITEMS = ("{*}url", "{*}sitemap", "{*}item", "{*}entry")
_PAGE = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body)\b", re.I).match
_GZIP = b"\x1f\x8b"
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class SitemapReader:
    """Follows sitemaps to the page URLs in them. What went wrong on the way is in `problems`."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        cancelled: Callable[[], bool] | None = None,
        guide: Guide | None = None,
        gate: Gate | None = None,
        guessed: bool = False,
        places: Places | None = None,
    ) -> None:
        """`gate` lets each request go when its host may be asked; `guide` says what to send.

        `places` for large files are shared by the readers of a process.
        Where the sitemaps given to `urls` are only `guessed` it is no problem that there are none.
        """
        self._fetcher, self._guide, self._gate = fetcher, guide, gate
        self._guessed, self._places = guessed, places or Places()
        self._cancelled = cancelled
        self._seen: set[str] = set()
        self._queue: deque[tuple[str, int]] = deque()
        self._unfetched = 0
        #: one line each, at most 100
        self.problems: list[str] = []
        #: fetched and answered with 200
        self.files = 0

    def urls(self, sitemaps: Iterable[str]) -> Iterator[str]:
        """Page URLs as the files spell them, duplicates included; nothing is fetched before it is asked for.

        A file that cannot be fetched or read is noted, and what it held until then counts. Raises Cancelled.
        """
        for url in islice(sitemaps, MAX_FILES):
            self._enqueue(url, None, 1)
        while self._queue and not self._has_given_up():
            url, depth = self._queue.popleft()
            with Place(self._places, self._cancelled) as place:
                yield from self._file(url, depth, place)

    def _file(self, url: str, depth: int, place: Place) -> Iterator[str]:
        response = self._get(url, self._guessed and depth == 1, place)
        if response is not None:
            if response.body.startswith(_GZIP):
                place.take()  # it may unpack to a large one
            yield from self._read(response, depth)

    def _enqueue(self, ref: str, base: str | None, depth: int) -> None:
        try:
            url = canonicalise(ref, base)
        except InvalidUrl as error:
            self._note(f"{ref[:200]}: {error.message}")
            return
        if url in self._seen:
            return
        if depth > MAX_DEPTH:
            self._note(f"{url}: indexes are nested more than {MAX_DEPTH} deep")
        elif len(self._seen) >= MAX_FILES:
            self._note(f"More than {MAX_FILES} sitemap files")
        else:
            self._seen.add(url)
            self._queue.append((url, depth))

    def _note(self, problem: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(one_line(problem))

    def _has_given_up(self) -> bool:
        if self._unfetched < MAX_UNFETCHED:
            return False
        self._note(f"Gave up after {MAX_UNFETCHED} files that could not be fetched")
        return True

    def _get(self, url: str, guessed: bool, place: Place) -> Response | None:
        try:
            response = self._fetcher.get(
                url,
                cancelled=self._cancelled,
                max_body=MAX_FILE,
                guide=self._guide,
                gate=self._gate,
                large=place.take,
            )
        except Cancelled:
            raise
        except FetchError as error:
            self._note(f"{url}: {error.message}")
            self._unfetched += 1
            return None
        if guessed and _is_no_file(response):
            return None
        if response.status_code != 200:
            self._note(f"{url}: HTTP {response.status_code}")
            return None
        self.files += 1
        return response

    def _read(self, response: Response, depth: int) -> Iterator[str]:
        empty = True
        try:
            for is_file, url in entries(response.body):
                empty = False
                if is_file:
                    self._enqueue(url, response.url, depth + 1)
                else:
                    yield url
                if self._cancelled is not None and self._cancelled():
                    raise Cancelled
        except (etree.LxmlError, zlib.error, BadResponse, BodyTooLarge) as error:
            self._note(f"{response.url}: {error}")
        if empty:
            self._note(f"{response.url}: no URL in it")


def _is_no_file(response: Response) -> bool:
    """An answer to a guess: 404 and the like, or a page that says so."""
    is_page = _PAGE(response.body[:1024].removeprefix(_BOMS[0])) is not None
    return response.status_code in (401, 403, 404, 410) or (response.status_code == 200 and is_page)


def iter_sitemap(
    fetcher: Fetcher,
    urls: Iterable[str],
    *,
    cancelled: Callable[[], bool] | None = None,
    max_urls: int | None = None,
) -> Iterator[str]:
    """The first `max_urls` page URLs of these sitemaps; see SitemapReader.urls."""
    return islice(SitemapReader(fetcher, cancelled=cancelled).urls(urls), max_urls)


def entries(body: bytes) -> Iterator[tuple[bool, str]]:
    """(is it a sitemap, its URL) of each entry in one file.

    Raises BadResponse, BodyTooLarge, lxml's or zlib's errors after all that could be read before.
    """
    chunks = _unpacked(body)
    first = next(chunks, b"")
    if first.startswith(_BOMS[1:]) or first.removeprefix(_BOMS[0]).lstrip()[:1] == b"<":
        return _from_xml(first.removeprefix(_BOMS[0]).lstrip(), chunks)
    return ((False, url) for url in _from_text(first, chunks))


def _unpacked(body: bytes) -> Iterator[bytes]:
    if not body.startswith(_GZIP):
        yield from (body[at : at + _CHUNK] for at in range(0, min(len(body), MAX_FILE), _CHUNK))
        return
    size = 0
    for chunk in _inflated(body):
        size += len(chunk)
        if size > MAX_FILE:
            raise BodyTooLarge(f"The sitemap unpacks to more than {MAX_FILE} bytes")
        yield chunk


def _inflated(body: bytes) -> Iterator[bytes]:
    stream, ended = zlib.decompressobj(31), True
    for at in range(0, len(body), _CHUNK):
        piece = body[at : at + _CHUNK]
        while piece:
            yield stream.decompress(piece, _CHUNK)
            piece, ended = stream.unconsumed_tail, stream.eof
            if ended:  # RFC 1952: another member may follow
                piece, stream = stream.unused_data, zlib.decompressobj(31)
    if not ended:
        raise BadResponse("The gzip data ends early")


def _from_text(first: bytes, chunks: Iterator[bytes]) -> Iterator[str]:
    rest = first.removeprefix(_BOMS[0])
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from _lines(lines)
        rest = rest[: 2 * MAX_URL]
    yield from _lines(rest.split(b"\n"))


def _lines(lines: list[bytes]) -> Iterator[str]:
    for line in lines:
        url = line.decode("utf-8", "replace").strip()
        if url.startswith(("http://", "https://")):
            yield url


def _from_xml(first: bytes, chunks: Iterator[bytes]) -> Iterator[tuple[bool, str]]:
    # No entity is expanded and nothing is loaded, so neither a billion laughs nor XXE has an effect.
    parser = etree.XMLPullParser(
        ("end",), tag=_ITEMS, resolve_entities=False, no_network=True, huge_tree=False, recover=True, load_dtd=False
    )
    parser.feed(first)
    yield from _items(parser)
    for chunk in chunks:
        parser.feed(chunk)
        yield from _items(parser)
    parser.close()
    if parser.feed_error_log:
        raise BadResponse(f"Not well-formed: {parser.feed_error_log.last_error.message}")


def _items(parser: Any) -> Iterator[tuple[bool, str]]:
    for _, item in parser.read_events():
        kind = _name(item)
        found = [url for child in item if (url := _url(kind, child))]
        for url in found or _instead(kind, item):
            if len(url) <= MAX_URL:
                yield kind == "sitemap", url
        item.clear()
        while item.getprevious() is not None:  # or the tree grows with the file
            del item.getparent()[0]


def _name(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def _url(kind: str, child: Any) -> str | None:
    """The page that an element of an entry names, whatever its namespace."""
    name = _name(child)
    if kind in ("url", "sitemap"):
        return (child.text or "").strip() if name == "loc" else None
    if name != "link" or child.get("rel", "alternate") != "alternate":
        return None
    return (child.get("href") or child.text or "").strip()


def _instead(kind: str, item: Any) -> list[str]:
    """What names the page of an entry that has no link: an RSS item's guid (RSS 2.0), the bare text of an index's."""
    if kind == "sitemap":
        return _absolute([item.text])
    if kind != "item":
        return []
    return _absolute(c.text for c in item if _name(c) == "guid" and c.get("isPermaLink", "true") == "true")


def _absolute(texts: Iterable[str | None]) -> list[str]:
    return [url for text in texts if (url := (text or "").strip()).startswith(("http://", "https://"))]
