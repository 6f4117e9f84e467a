"""An HTML page read: its title, its links, what robots may do with it, a hash of what it says."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from shared.records import record
from workers.charset import to_utf8
from workers.css import css
from workers.errors import tidy_line
from workers.hostile import is_hostile
from workers.references import Resolver

#: bytes
MAX_HTML = 5_000_000
MAX_LINKS = 10_000
MAX_TITLE = 500

_FOLLOWED = frozenset({"next", "canonical", "alternate"})
_NODES = "a,area,link,base,meta,title"
_INVISIBLE = "script,style,noscript,template"

#: not hashed: pages are re-indented without being changed
_SPACE = b" \t\r\n\f"

_RAW_LINK = re.compile(rb"<a\s[^<>]{0,2000}?\bhref\s*=\s*[\"']?([^\"'\s<>]{1,8192})", re.I)
_RAW_TITLE = re.compile(rb"<title[^<>]{0,200}>([^<]{0,2000})", re.I).search
_HTML_START = re.compile(rb"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html|head|body|title)\b", re.I | re.S).match


@record(frozen=True, slots=True)
class ParsedPage:
    """What the crawl keeps of a page."""

    #: at most 500 characters on one line
    title: str | None
    #: canonical http(s) URLs, each once, in document order
    links: tuple[str, ...]
    #: as `<link rel=canonical>` names it
    canonical: str | None
    noindex: bool
    #: of the visible text, 32 hex digits
    content_hash: str
    #: the page was too large or too contorted to be read as a whole
    truncated: bool
    #: as `<meta name=description>` has it
    description: str | None = None
    #: visible, a line for each piece of text; UTF-8
    text: bytes = field(default=b"", repr=False)
    #: the text without white space
    squeezed: bytes = field(default=b"", repr=False)
    #: without what is invisible; None where the page must not be parsed
    tree: LexborHTMLParser | None = field(default=None, compare=False, repr=False)


@dataclass(slots=True)
class _Found:
    """What the elements of a page say, before URLs are resolved."""

    refs: dict[str, None] = field(default_factory=dict)
    title: str | None = None
    base: str | None = None
    canonical: str | None = None
    description: str | None = None
    robots: set[str] = field(default_factory=set)


def is_html(content_type: str | None, body: bytes) -> bool:
    """Whether a body is HTML; without a Content-Type its first bytes tell."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml") or (not kind and _HTML_START(body[:1024]) is not None)


def parse_html(body: bytes, url: str, content_type: str | None) -> ParsedPage:
    """Reads a page fetched from `url` (canonical). Never raises, whatever the bytes are."""
    utf8 = to_utf8(body[:MAX_HTML], content_type)
    truncated = len(body) > MAX_HTML
    if is_hostile(utf8):
        return _page(_scan(utf8), url, utf8, True, None)
    tree = LexborHTMLParser(utf8)
    found = _find(css(tree, _NODES))
    for node in reversed(css(tree, _INVISIBLE)):  # inner ones first: what an outer one contains is gone with it
        node.decompose()
    root = tree.body or tree.root
    text = root.text(separator="\n") if root else ""
    return _page(found, url, text.encode("utf-8", "replace"), truncated, tree)


def _page(found: _Found, url: str, text: bytes, truncated: bool, tree: LexborHTMLParser | None) -> ParsedPage:
    resolver, said = Resolver(_base(found.base, url)), squeezed(text)
    links = () if found.robots & {"nofollow", "none"} else tuple(_resolved(found.refs, resolver))
    return ParsedPage(
        title=_tidy(found.title),
        links=links,
        canonical=next(iter(_resolved((found.canonical,), resolver)), None) if found.canonical else None,
        noindex=not found.robots.isdisjoint({"noindex", "none"}),
        content_hash=content_hash(said),
        truncated=truncated,
        description=found.description,
        text=text,
        squeezed=said,
        tree=tree,
    )


def content_hash(said: bytes) -> str:
    """Of a squeezed text, 32 hex digits."""
    return blake2b(said, digest_size=16).hexdigest()


def squeezed(text: bytes) -> bytes:
    """A text without its white space."""
    return text.translate(None, _SPACE)


def _find(nodes: list[LexborNode]) -> _Found:
    found = _Found()
    refs = found.refs
    for node in nodes:
        tag, attrs = node.tag, node.attributes
        if tag == "a" or tag == "area":
            href = attrs.get("href")
            if href is not None and ("rel" not in attrs or "nofollow" not in _tokens(attrs["rel"])):
                refs[href.partition("#")[0] if "#" in href else href] = None
            if len(refs) > 2 * MAX_LINKS:
                break
        else:
            _note(found, tag, attrs, node)
    return found


def _note(found: _Found, tag: str | None, attrs: dict[str, str | None], node: LexborNode) -> None:
    href = attrs.get("href")
    if tag == "link" and href:
        _note_link(found, href, _tokens(attrs.get("rel")))
    elif tag == "base":
        # The first one with an href counts (HTML, 4.2.3), even an empty one.
        if found.base is None and "href" in attrs:
            found.base = href or ""
    elif tag == "title":
        found.title = found.title or node.text()
    elif tag == "meta":
        _note_meta(found, (attrs.get("name") or "").strip().lower(), attrs.get("content") or "")


def _note_meta(found: _Found, name: str, content: str) -> None:
    if name == "robots":
        found.robots |= {word.strip().lower() for word in content.split(",")}
    elif name == "description":
        found.description = found.description or content


def _note_link(found: _Found, href: str, rel: set[str]) -> None:
    if "canonical" in rel:
        found.canonical = found.canonical or href
    # An alternate stylesheet is no page.
    if rel & _FOLLOWED and not rel & {"stylesheet", "nofollow"}:
        found.refs[href.partition("#")[0]] = None


def _tokens(rel: str | None) -> set[str]:
    return set(rel.lower().split()) if rel else set()


def _scan(utf8: bytes) -> _Found:
    """The links of a page that must not be parsed, as far as a pattern sees them."""
    found = _Found()
    for match in _RAW_LINK.finditer(utf8):
        found.refs[html.unescape(match[1].decode()).partition("#")[0]] = None
        if len(found.refs) > MAX_LINKS:
            break
    title = _RAW_TITLE(utf8)
    found.title = html.unescape(title[1].decode("utf-8", "ignore")) if title else None
    return found


def _base(ref: str | None, url: str) -> str:
    if ref is None:
        return url
    return next(iter(_resolved((ref,), Resolver(url))), url)


def _resolved(refs: Iterable[str], resolver: Resolver) -> Iterable[str]:
    """The canonical URLs of `refs`, each once; what cannot be crawled is left out."""
    found = dict.fromkeys(resolver.resolved(refs))
    found.pop("", None)
    return islice(found, MAX_LINKS)


def _tidy(title: str | None) -> str | None:
    if not title:
        return None
    return tidy_line(title[: 8 * MAX_TITLE])[:MAX_TITLE].rstrip() or None
