"""The pages of a crawl as a comparison needs them: four numbers each, of an ended job read from its order.

Reading them from 100,000 rows takes some 150 ms, from the order's parts 5 ms.
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from shared import ids
from shared.states import TaskKind
from shared.store.orders import FIRST_SEQ, LOOKS, Order
from shared.store.tables import order_parts, tasks

#: stands for no response time
UNTIMED = -1
#: rows read at once: 10,000 cost half as much again, for they leave the processor's cache
_ROWS = 500
_T, _P = tasks.c, order_parts.c


@dataclass(slots=True)
class Looks:
    """Page tasks in the order of their numbers: each one's number, URL hash, state and milliseconds."""

    seqs: "array[int]" = field(default_factory=lambda: array("I"))
    hashes: "array[int]" = field(default_factory=lambda: array("q"))
    states: bytearray = field(default_factory=bytearray)
    times: "array[int]" = field(default_factory=lambda: array("i"))


def of_order(conn: Connection, order: Order) -> Looks | None:
    """Those of an ended job; None where its order is older than this list."""
    mine = (_P.order_id == order.id, _P.list == LOOKS)
    states = bytes(cell[0] for cell in order.cells).ljust(256, b"\0")
    looks = Looks()
    for part in conn.execute(select(_P.data, _P.cells).where(*mine).order_by(_P.no)):
        n = len(part.cells)
        looks.hashes.frombytes(part.data[: 8 * n])
        looks.times.frombytes(part.data[8 * n :])
        looks.states += part.cells.translate(states)
    if sys.byteorder == "big":
        looks.hashes.byteswap()
        looks.times.byteswap()
    looks.seqs.extend(range(FIRST_SEQ, FIRST_SEQ + len(looks.hashes)))
    return looks if looks.hashes else None


def packed(url_hashes: Sequence[int], response_times: Sequence[int | None]) -> bytes:
    """What a part of the order keeps of some tasks, little-endian."""
    hashes = array("q", url_hashes)
    times = array("i", [UNTIMED if time is None else time for time in response_times])
    if sys.byteorder == "big":
        hashes.byteswap()
        times.byteswap()
    return hashes.tobytes() + times.tobytes()


def of_rows(conn: Connection, job_no: int) -> Looks:
    """Those of any job. By the range of ids: planners know nothing of a fresh job."""
    query = select(_T.id, _T.url_hash, _T.state, func.coalesce(_T.response_time, UNTIMED)).where(
        _T.id >= ids.pack(job_no, FIRST_SEQ - 1), _T.id < ids.pack(job_no + 1, 0), _T.kind == TaskKind.CRAWL_PAGE
    )
    looks = Looks()
    for rows in conn.execute(query.order_by(_T.id)).partitions(_ROWS):
        numbers, hashes, states, times = zip(*rows, strict=True)
        looks.seqs.extend(map(ids.SEQ_MASK.__and__, numbers))
        looks.hashes.extend(hashes)
        looks.states.extend(states)
        looks.times.extend(times)
    return looks
