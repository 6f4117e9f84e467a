"""CSS searches of our own in parsed pages."""

import threading

from selectolax.lexbor import LexborCSSSelector, LexborHTMLParser, LexborNode


class _Engine(threading.local):
    """A page's own engine is made at its first search, which costs more than the searches of most pages."""

    def __init__(self) -> None:
        self.find = LexborCSSSelector().find  # type: ignore[no-untyped-call]


_engine = _Engine()


def css(within: LexborHTMLParser | LexborNode, query: str) -> list[LexborNode]:
    """What `within.css(query)` finds, in document order; for queries that are known to be right."""
    root = within.root if isinstance(within, LexborHTMLParser) else within
    return _engine.find(query, root) if root is not None else []
