"""Searching the paths of an ended job: its order keeps them folded, one text a part, so that no row is read.

A PostgreSQL without trigrams takes 400-1,300 ms for a million rows. Kept unpacked: a million paths are some
80 MB more on disk, and unpacking them took longer than the search.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import compress, islice, repeat
from operator import contains, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import DBAPIError

from shared.store.orders import FIRST_SEQ, PATHS, Cell, Kind, Order, Sort, kind_of, list_no, mask, unpacked
from shared.store.tables import order_parts

_P = order_parts.c
#: parts of a list per read: they are 40 kB each
_AT_ONCE = 32
#: a text in fewer than one of so many paths is looked up place by place
_SELDOM = 8
#: bytes of paths cut at once: with a whole part's the memory is given back and taken again, page by page (100 ms)
_CUT = 32_768
#: numbers counted at once on the way to a deep page
_STRIDE = 65_536


def page(
    conn: Connection, order: Order, text: str, wants: Callable[[Cell], bool], sort: Sort, limit: int, offset: int
) -> tuple[list[int], int]:
    """The numbers of the wanted tasks whose path holds `text` in any case, as `orders.page` gives them."""
    found, cells = _matches(conn, order, text, mask([no for no, cell in enumerate(order.cells) if wants(cell)]))
    total = found.count(1)
    if offset >= total:
        return [], total
    limit = min(limit, total - offset)
    behind = total - offset - limit
    if behind >= offset:
        return _window(_sorted(conn, order, found, cells, sort, False), limit, offset), total
    # nearer to the end
    return _window(_sorted(conn, order, found, cells, sort, True), limit, behind)[::-1], total


#: answers kept for the next page of the same search: 2 MB each at a million tasks
_KEPT = 4
_answers: OrderedDict[tuple[str, int, int, str, bytes], tuple[bytes, bytes]] = OrderedDict()
_lock = threading.Lock()


def _matches(conn: Connection, order: Order, text: str, wanted: bytes) -> tuple[bytes, bytes]:
    """By number whether a task is in the answer, and each one's cell. An order never changes: a kept answer is true."""
    key = (str(conn.engine.url), order.id, order.made_at, text, wanted)
    with _lock:
        if key in _answers:
            _answers.move_to_end(key)
            return _answers[key]
    answer = _search(conn, order, text.encode().lower(), wanted)
    with _lock:
        _answers[key] = answer
        while len(_answers) > _KEPT:
            _answers.popitem(last=False)
    return answer


def _search(conn: Connection, order: Order, folded: bytes, wanted: bytes) -> tuple[bytes, bytes]:
    cells = bytearray()
    found = bytearray(FIRST_SEQ)  # by number
    is_seldom, is_any = True, wanted[: len(order.cells)].count(1) == len(order.cells)
    for part in _rows(conn, _list(order, PATHS)):
        n = len(part.cells)
        flags = (_placed(part.data, folded, n) if is_seldom else None) or _each(part.data, folded)
        is_seldom = flags.count(1) * _SELDOM <= n
        cells += part.cells
        found += flags if is_any else _both(flags, part.cells.translate(wanted))
    return bytes(found), bytes(cells)


def _each(paths: bytes, text: bytes) -> bytes:
    """A byte for each path: whether it holds the text."""
    # texts compare faster than bytes
    wanted, flags, start = text.decode("latin-1"), bytearray(), 0
    while start <= len(paths):
        end = paths.find(b"\0", start + _CUT)
        end = len(paths) if end < 0 else end
        flags += bytes(map(contains, paths[start:end].decode("latin-1").split("\0"), repeat(wanted)))
        start = end + 1
    return bytes(flags)


def _placed(paths: bytes, text: bytes, n: int) -> bytes | None:
    """What `_each` gives for n paths, found from place to place; None when the text is in too many of them."""
    flags, line, start, left = bytearray(n), 0, 0, n // _SELDOM
    at = paths.find(text)
    while at >= 0:
        if not left:
            return None
        left -= 1
        line += paths.count(b"\0", start, at)
        flags[line] = 1
        start = paths.find(b"\0", at)
        at = paths.find(text, start) if start >= 0 else -1
    return bytes(flags)


def _both(left: bytes | bytearray, right: bytes | bytearray) -> bytes:
    return (int.from_bytes(left, "big") & int.from_bytes(right, "big")).to_bytes(len(left), "big")


class _Part(NamedTuple):
    no: int
    data: bytes
    cells: bytes


def _list(order: Order, which: int) -> Select[Any]:
    """The parts of a list in order."""
    return select(_P.no, _P.data, _P.cells).where(_P.order_id == order.id, _P.list == which).order_by(_P.no)


def _batches(conn: Connection, order: Order, which: int, backwards: bool) -> Iterator[_Part]:
    """The parts of a list, some at a time, so that its reader can stop."""
    n = conn.execute(select(func.max(_P.no)).where(_P.order_id == order.id, _P.list == which)).scalar()
    starts = range(0, 0 if n is None else n + 1, _AT_ONCE)
    for start in reversed(starts) if backwards else starts:
        parts = list(_rows(conn, _list(order, which).where(_P.no.between(start, start + _AT_ONCE - 1))))
        yield from reversed(parts) if backwards else parts


def _rows(conn: Connection, query: Select[Any]) -> Iterator[_Part]:
    """All rows of a query for parts. From PostgreSQL as bytes, not as twice as long hex digits, and one after the
    other: it makes the next ones ready while this one is used. They must be read to the end.
    """
    if conn.dialect.name != "postgresql":
        yield from map(_Part._make, conn.execute(query))
        return
    sql = query.compile(dialect=conn.dialect)
    driver: Any = conn.connection.driver_connection
    try:
        with driver.cursor() as cursor:
            yield from map(_Part._make, cursor.stream(str(sql), sql.params, binary=True))
    except conn.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(str(sql), sql.params, error) from error


#: consecutive numbers, and for each whether it is in the answer (1 or 0)
_Chunk = tuple[Sequence[int], Sequence[int]]


def _window(chunks: Iterator[_Chunk], limit: int, offset: int) -> list[int]:
    """The numbers in a window of the answer; what lies before it is counted, not walked."""
    window: list[int] = []
    for seqs, flags in chunks:
        n = flags.count(1)
        if n <= offset:
            offset -= n
            continue
        window += islice(compress(seqs, flags), offset, offset + limit - len(window))
        offset = 0
        if len(window) == limit:
            break
    return window


def _sorted(
    conn: Connection, order: Order, found: bytes, cells: bytes, sort: Sort, backwards: bool
) -> Iterator[_Chunk]:
    """The answer in its order, or from its end."""
    if sort.field is not None:
        yield from _by_list(conn, order, found, sort.field, kind_of(sort), backwards)
    elif sort.cell_value is not None:
        groups = order.by_value(range(len(order.cells)), sort.cell_value, sort.descending)
        for which in reversed(groups) if backwards else groups:
            yield from _chunks(_both(found, bytes(FIRST_SEQ) + cells.translate(mask(which))), backwards)
    else:
        yield from _chunks(found, sort.descending != backwards)


def _chunks(found: bytes, backwards: bool) -> Iterator[_Chunk]:
    starts = range(0, len(found), _STRIDE)
    for start in reversed(starts) if backwards else starts:
        seqs, flags = range(start, min(start + _STRIDE, len(found))), found[start : start + _STRIDE]
        yield (seqs[::-1], flags[::-1]) if backwards else (seqs, flags)


def _by_list(conn: Connection, order: Order, found: bytes, field: str, kind: Kind, backwards: bool) -> Iterator[_Chunk]:
    is_stored = False
    for which in (Kind.NULLS, kind) if backwards else (kind, Kind.NULLS):
        for part in _batches(conn, order, list_no(field, which), backwards):
            is_stored = True
            seqs = unpacked(part.data)[:: -1 if backwards else 1]
            yield seqs, _at(found, seqs)
    if not is_stored:
        yield from _chunks(found, backwards)


def _at(found: bytes, seqs: Sequence[int]) -> Sequence[int]:
    return itemgetter(*seqs)(found) if len(seqs) > 1 else [found[seq] for seq in seqs]
