"""The part of a page that is compared: its visible text and headings, by the domain's selectors."""

from collections.abc import Iterable

from selectolax.lexbor import LexborHTMLParser, LexborNode

from shared.change_settings import ChangeSettings
from workers.css import css
from workers.parse import ParsedPage

_HEADINGS = "h1,h2,h3,h4,h5,h6"
_MAX_HEADINGS, _MAX_HEADING = 200, 200
_CONTORTED = "The page is too large or too contorted to be compared"


def visible(page: ParsedPage, settings: ChangeSettings) -> tuple[bytes | None, str | None]:
    """The text to compare, and why it is not read as configured. Removes what is dropped from the page's tree."""
    if page.tree is None:
        return None, _CONTORTED
    if not settings.include_selectors and not settings.drop_selectors:
        return page.text, None
    _drop(page.tree, settings.drop_selectors)
    roots = _roots(page.tree, settings)
    text = "\n".join(root.text(separator="\n") for root in roots or _whole(page.tree))
    return text.encode("utf-8", "replace"), None if roots else _unmatched(settings)


def headings(page: ParsedPage, settings: ChangeSettings) -> tuple[str, ...]:
    """Texts of the headings in that part of the page, after `visible`."""
    if page.tree is None:
        return ()
    roots = _roots(page.tree, settings) or _whole(page.tree)
    nodes = [node for root in roots for node in css(root, _HEADINGS)][:_MAX_HEADINGS]
    texts = (" ".join(node.text().split())[:_MAX_HEADING] for node in nodes)
    return tuple(text for text in texts if text)


def _unmatched(settings: ChangeSettings) -> str:
    names = ", ".join(settings.include_selectors)
    return f"Nothing matches {names[:200]}: the whole page is compared"


def _drop(tree: LexborHTMLParser, selectors: Iterable[str]) -> None:
    for selector in selectors:
        # inner ones first: what an outer one contains is gone with it
        for node in reversed(tree.css(selector)):
            if node.tag not in ("html", "body"):
                node.decompose()


def _roots(tree: LexborHTMLParser, settings: ChangeSettings) -> list[LexborNode]:
    """What the selectors include, each part once; the whole page where none are set."""
    if not settings.include_selectors:
        return _whole(tree)
    found = tree.css(", ".join(settings.include_selectors))
    chosen = {node.mem_id for node in found}
    return [node for node in found if not _is_inside(node, chosen)]


def _whole(tree: LexborHTMLParser) -> list[LexborNode]:
    root = tree.body or tree.root
    return [root] if root else []


def _is_inside(node: LexborNode, chosen: set[int]) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.mem_id in chosen:
            return True
        parent = parent.parent
    return False
