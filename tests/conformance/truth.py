"""What a folder of files holds as a site, computed without any of our code: the standard library alone.

A page is what a browser can reach from `/` by links; a broken link leads to no file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

_ROOT = "http://site.invalid"
_SAFE = "/~!$&'()*+,;=:@-._"
_RELS = {"next", "canonical", "alternate"}


@dataclass(slots=True)
class Truth:
    """Paths of a site."""

    pages: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)


def of_folder(folder: Path) -> Truth:
    """Walks the files of a folder from its index page on."""
    truth, todo = Truth(), ["/"]
    seen = set(todo)
    while todo:
        path = todo.pop()
        file = _file(folder, path)
        if file is None:
            truth.broken.add(path)
            continue
        truth.pages.add(path)
        for target in _targets(file, path):
            target = _as_served(folder, target)
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return truth


def _file(folder: Path, path: str) -> Path | None:
    name = path.partition("?")[0]
    file = folder / unquote(name).lstrip("/")
    file = file / "index.html" if name.endswith("/") else file
    return file if file.is_file() else None


def _as_served(folder: Path, path: str) -> str:
    """The path of the page: a folder has a slash, and an index page is its folder."""
    name, mark, query = path.partition("?")
    if not name.endswith("/") and (folder / unquote(name).lstrip("/")).is_dir():
        name += "/"
    if name.endswith("/index.html") and not query and _file(folder, name):
        name = name.removesuffix("index.html")
    return name + mark + query


def _targets(file: Path, path: str) -> Iterator[str]:
    if file.suffix not in (".html", ".htm"):
        return
    parser = _Links()
    parser.feed(file.read_bytes().decode("utf-8", "replace"))
    base = urljoin(_ROOT + path, parser.base or "")
    for href in parser.hrefs:
        # browsers drop tabs and line ends, and take a backslash for a slash (WHATWG URL)
        url = urlsplit(urljoin(base, href.translate({9: None, 10: None, 13: None}).replace("\\", "/")))
        if f"{url.scheme}://{url.netloc}" == _ROOT:
            yield quote(unquote(url.path or "/"), safe=_SAFE) + (f"?{url.query}" if url.query else "")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.hrefs: list[str] = []
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(reversed(attrs))
        href, rel = found.get("href"), set((found.get("rel") or "").lower().split())
        if href is None:
            return
        if tag == "base" and self.base is None:
            self.base = href
        is_anchor = tag in ("a", "area") and "nofollow" not in rel
        if is_anchor or (tag == "link" and rel & _RELS and "stylesheet" not in rel):
            self.hrefs.append(href.strip())
