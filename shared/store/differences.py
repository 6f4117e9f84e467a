"""How the pages of two crawls differ: decided on arrays, 0.3 µs a page, without the database."""

from array import array
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntFlag
from heapq import merge

from shared.states import TaskState
from shared.store.looks import UNTIMED, Looks

#: a page is slower that took at least this much longer: so many times, and so many milliseconds
SLOWER_FACTOR, SLOWER_MS = 1.5, 200
#: pages looked up at once: they take 150 MB a million
_AT_ONCE = 500_000
#: in place of the number of a page that the later crawl does not have: behind all others
_GONE = 2**32 - 1
_COMPLETED, _FAILED = TaskState.COMPLETED.value, TaskState.FAILED.value
_CRAWLED = frozenset({_COMPLETED, _FAILED})
_SKIPPED = TaskState.SKIPPED.value


class Kind(IntFlag):
    """How a page differs between two crawls."""

    ADDED = 1
    REMOVED = 2
    CHANGED = 4
    NEWLY_BROKEN = 8
    FIXED = 16
    SLOWER = 32

    @property
    def words(self) -> list[str]:
        """Their names."""
        return [kind.name.lower() for kind in Kind if kind in self and kind.name]


#: as numbers, which are quicker to join
_CHANGED, _BROKEN, _FIXED, _SLOWER = (kind.value for kind in (Kind.CHANGED, Kind.NEWLY_BROKEN, Kind.FIXED, Kind.SLOWER))
#: the page's task numbers in the later crawl and in the earlier one, and its kinds
_Row = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Differences:
    """The pages that differ, in the order in which the later crawl found them, removed ones last."""

    now: "array[int]"
    was: "array[int]"
    kinds: bytes
    #: pages in both crawls that do not differ
    unchanged: int

    @property
    def counts(self) -> dict[Kind, int]:
        """How many pages of each kind."""
        groups = Counter(self.kinds)
        return {kind: sum(n for kinds, n in groups.items() if kinds & kind) for kind in Kind}

    def page(self, kind: Kind | None, limit: int, offset: int) -> list[tuple[int | None, int | None, Kind]]:
        """Some of the pages of a kind, or that differ at all: task numbers in the later and the earlier crawl."""
        mask = bytes(kind is None or bool(kinds & kind) for kinds in range(256))
        wanted = self.kinds.translate(mask)
        found, at = [], -1
        for no in range(offset + limit):
            at = wanted.find(1, at + 1)
            if at < 0:
                break
            if no >= offset:
                now = self.now[at]
                found.append((None if now == _GONE else now, self.was[at] or None, Kind(self.kinds[at])))
        return found


def between(was: Looks, now: Looks, changed: Collection[int]) -> Differences:
    """Compares two crawls; `changed` are the URL hashes of pages whose content changed between them."""
    parts = max(len(was.hashes), len(now.hashes)) // _AT_ONCE + 1
    found = [_compared(was, now, changed, no, parts) for no in range(parts)]
    nows, wases, kinds = array("I"), array("I"), bytearray()
    for now_seq, was_seq, kind in merge(*(rows for rows, _ in found)):
        nows.append(now_seq)
        wases.append(was_seq)
        kinds.append(kind)
    return Differences(nows, wases, bytes(kinds), sum(unchanged for _, unchanged in found))


def _compared(was: Looks, now: Looks, changed: Collection[int], no: int, parts: int) -> tuple[list[_Row], int]:
    """The rows that differ, and how many do not, of the pages in one of so many parts."""
    places = {url_hash: at for at, url_hash in enumerate(was.hashes) if url_hash % parts == no}
    rows: list[_Row] = []
    unchanged = 0
    for seq, url_hash, state, time in zip(now.seqs, now.hashes, now.states, now.times, strict=True):
        if url_hash % parts != no:
            continue
        at = places.pop(url_hash, -1)
        if state not in _CRAWLED:
            if state == _SKIPPED and url_hash in changed and at >= 0 and was.states[at] in _CRAWLED:
                rows.append((seq, was.seqs[at], _CHANGED))
            continue
        if at < 0 or was.states[at] not in _CRAWLED:
            rows.append((seq, was.seqs[at] if at >= 0 else 0, Kind.ADDED.value))
        elif kinds := _kinds((was.states[at], was.times[at]), (state, time)) | (url_hash in changed and _CHANGED):
            rows.append((seq, was.seqs[at], kinds))
        else:
            unchanged += 1
    rows += [(_GONE, was.seqs[at], Kind.REMOVED.value) for at in places.values() if was.states[at] in _CRAWLED]
    return rows, unchanged


def _kinds(was: tuple[int, int], now: tuple[int, int]) -> int:
    """The kinds, as a number, that state and time make of a page which both have crawled."""
    (was_state, was_time), (state, time) = was, now
    if state != was_state:
        return _BROKEN if state == _FAILED else _FIXED
    if time - was_time < SLOWER_MS or was_time == UNTIMED or state == _FAILED:
        return 0
    return _SLOWER if time >= was_time * SLOWER_FACTOR else 0
