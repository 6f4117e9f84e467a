"""Searching the paths of an ended job: its order keeps them folded, one text a part, so that no row is read.

A PostgreSQL without trigrams takes 400-1,300 ms for a million rows. Kept unpacked: a million paths are some
80 MB more on disk, and unpacking them took longer than the search.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, compress, islice, repeat
from operator import contains, itemgetter
from typing import Any

from sqlalchemy import Connection, select

from shared.store.orders import FIRST_SEQ, PATHS, Cell, Kind, Order, Sort, kind_of, list_no, mask, unpacked
from shared.store.tables import order_parts

_P = order_parts.c
#: parts per read: they are 0.7 MB each
_AT_ONCE = 8
#: a text in fewer than one of so many paths is looked up place by place
_SELDOM = 30


def page(
    conn: Connection, order: Order, text: str, wants: Callable[[Cell], bool], sort: Sort, limit: int, offset: int
) -> tuple[list[int], int]:
    """The numbers of the wanted tasks whose path holds `text` in any case, as `orders.page` gives them."""
    wanted = mask([no for no, cell in enumerate(order.cells) if wants(cell)])
    cells = bytearray()
    found = bytearray(FIRST_SEQ)  # by number
    folded = text.encode().lower()
    for paths, part_cells in _texts(conn, order):
        cells += part_cells
        found += _both(_holding(paths, folded, len(part_cells)), part_cells.translate(wanted))
    total = found.count(1)
    if offset >= total:
        return [], total
    return list(islice(_sorted(conn, order, found, cells, sort), offset, offset + limit)), total


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
    while rows := conn.execute(query.where(_P.no.between(start, start + _AT_ONCE - 1))).all():
        yield rows
        start += _AT_ONCE


def _sorted(conn: Connection, order: Order, found: bytearray, cells: bytearray, sort: Sort) -> Iterator[int]:
    if sort.field is not None:
        yield from _by_list(conn, order, found, sort)
    elif sort.cell_value is not None:
        for which in order.by_value(range(len(order.cells)), sort.cell_value, sort.descending):
            yield from compress(range(len(found)), _both(found, bytes(FIRST_SEQ) + cells.translate(mask(which))))
    elif sort.descending:
        yield from compress(range(len(found) - 1, -1, -1), found[::-1])
    else:
        yield from compress(range(len(found)), found)


def _by_list(conn: Connection, order: Order, found: bytearray, sort: Sort) -> Iterator[int]:
    assert sort.field is not None
    is_stored = False
    for kind in (kind_of(sort), Kind.NULLS):
        for part in chain.from_iterable(_batches(conn, order, list_no(sort.field, kind))):
            is_stored = True
            seqs = unpacked(part.data)
            yield from compress(seqs, _at(found, seqs))
    if not is_stored:
        yield from compress(range(len(found)), found)


def _at(found: bytearray, seqs: Collection[int]) -> Collection[int]:
    return itemgetter(*seqs)(found) if len(seqs) > 1 else [found[seq] for seq in seqs]
