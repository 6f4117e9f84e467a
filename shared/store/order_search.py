"""Searching the paths of an ended job: its order keeps them folded, one text a part, so that no row is read.

A PostgreSQL without trigrams takes 400-1,300 ms for a million rows. Kept unpacked: a million paths are some
80 MB more on disk, and unpacking them took longer than the search.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, compress, islice, repeat
from operator import contains, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from shared.store.orders import FIRST_SEQ, PATHS, Cell, Kind, Order, Sort, kind_of, list_no, mask, unpacked
from shared.store.tables import order_parts

_P = order_parts.c
#: parts per read: they are 0.7 MB each
_AT_ONCE = 8
#: a text in fewer than one of so many paths is looked up place by place
_SELDOM = 30
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
    return _window(_sorted(conn, order, found, cells, sort), limit, offset), total


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
    for paths, part_cells in _texts(conn, order):
        cells += part_cells
        found += _both(_holding(paths, folded, len(part_cells)), part_cells.translate(wanted))
    return bytes(found), bytes(cells)


def _texts(conn: Connection, order: Order) -> Iterator[tuple[bytes, bytes]]:
    """Each part's paths and cells."""
    for rows in _batches(conn, order, PATHS):
        yield from ((row.data, row.cells) for row in rows)


def _holding(paths: bytes, text: bytes, n: int) -> bytes:
    """A byte for each of n paths: whether it holds the text."""
    at = paths.find(text)
    if at < 0:
        return bytes(n)
    if paths.count(text) * _SELDOM > n:
        # texts compare faster than bytes
        return bytes(map(contains, paths.decode("latin-1").split("\0"), repeat(text.decode("latin-1"))))
    flags, line, start = bytearray(n), 0, 0
    while at >= 0:
        line += paths.count(b"\0", start, at)
        flags[line] = 1
        start = paths.find(b"\0", at)
        at = paths.find(text, start) if start >= 0 else -1
    return bytes(flags)


def _both(left: bytes | bytearray, right: bytes | bytearray) -> bytes:
    return (int.from_bytes(left, "big") & int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _batches(conn: Connection, order: Order, which: int) -> Iterator[Sequence[Any]]:
    """The parts of a list, some at a time."""
    query = select(_P.no, _P.data, _P.cells).where(_P.order_id == order.id, _P.list == which).order_by(_P.no)
    start = 0
    while rows := _rows(conn, query.where(_P.no.between(start, start + _AT_ONCE - 1))):
        yield rows
        start += _AT_ONCE


class _Part(NamedTuple):
    no: int
    data: bytes
    cells: bytes


def _rows(conn: Connection, query: Select[Any]) -> Sequence[Any]:
    """The rows of a query for parts; from PostgreSQL as bytes, not as twice as long hex digits."""
    if conn.dialect.name != "postgresql":
        return conn.execute(query).all()
    sql = query.compile(dialect=conn.dialect, compile_kwargs={"render_postcompile": True})
    driver: Any = conn.connection.driver_connection
    with driver.cursor(binary=True) as cursor:
        return [_Part(*row) for row in cursor.execute(str(sql), sql.params).fetchall()]


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


def _sorted(conn: Connection, order: Order, found: bytes, cells: bytes, sort: Sort) -> Iterator[_Chunk]:
    if sort.field is not None:
        yield from _by_list(conn, order, found, sort)
    elif sort.cell_value is not None:
        for which in order.by_value(range(len(order.cells)), sort.cell_value, sort.descending):
            yield from _chunks(_both(found, bytes(FIRST_SEQ) + cells.translate(mask(which))))
    else:
        yield from _chunks(found, sort.descending)


def _chunks(found: bytes, descending: bool = False) -> Iterator[_Chunk]:
    starts = range(0, len(found), _STRIDE)
    for start in reversed(starts) if descending else starts:
        seqs, flags = range(start, min(start + _STRIDE, len(found))), found[start : start + _STRIDE]
        yield (seqs[::-1], flags[::-1]) if descending else (seqs, flags)


def _by_list(conn: Connection, order: Order, found: bytes, sort: Sort) -> Iterator[_Chunk]:
    assert sort.field is not None
    is_stored = False
    for kind in (kind_of(sort), Kind.NULLS):
        for part in chain.from_iterable(_batches(conn, order, list_no(sort.field, kind))):
            is_stored = True
            seqs = unpacked(part.data)
            yield seqs, _at(found, seqs)
    if not is_stored:
        yield from _chunks(found)


def _at(found: bytes, seqs: Sequence[int]) -> Sequence[int]:
    return itemgetter(*seqs)(found) if len(seqs) > 1 else [found[seq] for seq in seqs]
