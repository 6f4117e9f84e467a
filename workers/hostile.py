"""A glance at raw HTML before it is parsed: some markup of 100 kB costs lexbor minutes.

Quadratic there: deep nesting, unclosed options, end tags that match nothing, thousands of attributes on
one tag. All checks here are linear, and what most pages pay is one count of `<`.
"""

import re

#: tags that cannot do harm however they are nested: under 0.1 s
_HARMLESS_TAGS = 5_000
#: elements open at a time, as in browsers
_MAX_DEPTH = 512
_MAX_TAGS = 500_000
#: bytes; fewer cannot hold enough attributes to do harm
_HARMLESS_SIZE = 32_768
_LONG_TAG = 16_384
_MAX_ATTRIBUTES = 4_000

_NAME = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_VOID = frozenset(b"area base br col embed hr img input link meta param source track wbr".split())
_TABLE = frozenset(b"table tbody thead tfoot tr td th".split())
#: what an end tag of a block cannot reach across (HTML, 13.2.4.2, "in scope")
_SCOPE = frozenset(b"table td th caption applet marquee object template".split())
#: what any other end tag cannot reach across ("special")
_SPECIAL = _SCOPE | frozenset(
    b"address article aside blockquote body button center dd details dir div dl dt fieldset figcaption figure "
    b"footer form h1 h2 h3 h4 h5 h6 header hgroup html head iframe li main menu nav noscript ol p pre section "
    b"select summary tbody tfoot thead tr ul".split()
)
_FORMATTING = frozenset(b"a b big code em font i nobr s small strike strong tt u".split())
#: how far down a start tag clears the stack: table parts down to one of these
_SECTIONS = frozenset(b"table tbody thead tfoot template".split())
_CLEARS = {
    **dict.fromkeys((b"tbody", b"thead", b"tfoot"), frozenset({b"table", b"template"})),
    b"tr": _SECTIONS,
    **dict.fromkeys((b"td", b"th"), _SECTIONS | {b"tr"}),
}
#: list items end the one before, unless something stands between
_ITEMS = {b"li": frozenset({b"li"}), **dict.fromkeys((b"dt", b"dd"), frozenset({b"dt", b"dd"}))}
_ITEM_BARRIER = _SPECIAL - frozenset(b"address div p li dt dd".split())
_P = frozenset({b"p"})
_P_BARRIER = _SCOPE | {b"button"}
_NOTHING: frozenset[bytes] = frozenset()

_RUN = re.compile(rb"<[a-zA-Z][^<>]{%d}" % _LONG_TAG).search
_BRACKET_IN_VALUE = re.compile(rb"""=\s*+(?:"[^"<>]*+[<>]|'[^'<>]*+[<>])""").search
_TAG = re.compile(rb"""<[a-zA-Z](?:[^>"'=]++|=\s*+"[^"]*+"|=\s*+'[^']*+'|["'=])*+""")
_ATTRIBUTE = re.compile(rb"""[^\s/>=]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]++))?""")


def is_hostile(body: bytes) -> bool:
    """Whether parsing `body` into a tree could take unreasonably long."""
    tags = body.count(b"<")
    if tags > _HARMLESS_TAGS and (tags > _MAX_TAGS or _too_deep(body)):
        return True
    return len(body) > _HARMLESS_SIZE and _too_many_attributes(body)


def _too_deep(body: bytes) -> bool:
    """Follows the stack of open elements, roughly, and rather too deep than too shallow."""
    stack: list[bytes] = []
    unmatched = 0
    for slash, name in _NAME.findall(body):
        name = name.lower()
        if name in _VOID:
            continue
        if not slash:
            _open(stack, name)
        elif name in stack:
            _close(stack, name)
        else:
            unmatched += 1
        if len(stack) > _MAX_DEPTH or unmatched > _HARMLESS_TAGS:
            return True
    return False


def _open(stack: list[bytes], name: bytes) -> None:
    if name in _CLEARS:
        if b"table" not in stack:
            return  # ignored outside of tables
        while stack[-1] not in _CLEARS[name]:
            stack.pop()
    elif name in _ITEMS:
        _end(stack, _ITEMS[name], _ITEM_BARRIER)
    elif name in _SPECIAL:
        _end(stack, _P, _P_BARRIER)
    stack.append(name)


def _end(stack: list[bytes], names: frozenset[bytes], barrier: frozenset[bytes]) -> None:
    """Closes the innermost element of `names` with all in it, if it is on this side of the barrier."""
    if names.isdisjoint(stack):
        return
    for at in range(len(stack) - 1, -1, -1):
        if stack[at] in names:
            del stack[at:]
            return
        if stack[at] in barrier:
            return


def _close(stack: list[bytes], name: bytes) -> None:
    at = len(stack) - 1 - stack[::-1].index(name)
    if name in _FORMATTING:
        del stack[at]
        return
    barrier = _NOTHING if name in _TABLE else _SCOPE if name in _SPECIAL else _SPECIAL
    if barrier.isdisjoint(stack[at + 1 :]):
        del stack[at:]


def _too_many_attributes(body: bytes) -> bool:
    if not _RUN(body) and not _BRACKET_IN_VALUE(body):
        return False
    return any(_crowded(tag[0]) for tag in _TAG.finditer(body) if tag.end() - tag.start() > _LONG_TAG)


def _crowded(tag: bytes) -> bool:
    return sum(1 for _ in _ATTRIBUTE.finditer(tag)) > _MAX_ATTRIBUTES
