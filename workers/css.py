"""CSS searches of our own in parsed pages."""

from collections import deque

from selectolax.lexbor import LexborCSSSelector, LexborHTMLParser, LexborNode

#: engines that nobody searches with. A page's own one is made at its first search, which costs more than the searches
#: of most pages; one for each thread would take 140 kB of memory each.
_idle: deque[LexborCSSSelector] = deque()


def css(within: LexborHTMLParser | LexborNode, query: str) -> list[LexborNode]:
    """What `within.css(query)` finds, in document order; for queries that are known to be right."""
    root = within.root if isinstance(within, LexborHTMLParser) else within
    if root is None:
        return []
    try:
        engine = _idle.pop()
    except IndexError:
        engine = LexborCSSSelector()  # type: ignore[no-untyped-call]
    try:
        found: list[LexborNode] = engine.find(query, root)
        return found
    finally:
        _idle.append(engine)
