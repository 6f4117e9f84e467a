"""Which pages the store is known to have: most links of a page are old news."""

import secrets
from array import array
from collections.abc import Iterable

from shared.stages import Finish, Verdict

#: 10 MiB, for all jobs of the process together: a large part, and a small one beside it
_LARGE, _SMALL = 2**20, 2**18
_PLACE, _ASIDE = _LARGE - 1, _SMALL - 1
#: a mark has a place in the large part by its lowest bits, one by those above, and one in the small part
_SECOND, _THIRD = 21, 42
#: marks that make room for another, until one of them is forgotten
_MOVES = 8
#: marks that were forgotten until all are: most are of crawls that have ended, or of more pages than there are slots
_FORGETS = 2**19
_KEYS = 2**62 - 1
#: no mark is 0, which an empty slot has
_MARK = 2**62


class SeenUrls:
    """Keys of URLs that the store is known to have, by job. What it forgets is only asked for again.

    A cuckoo hash table of a fixed size, which with three places for each key can be nearly full: a set would grow with
    the crawl. Of a million keys it has 99 in 100. Only the thread that commits adds keys; the others look without a
    lock, and may miss one that is being moved.
    """

    def __init__(self) -> None:
        self._slots, self._forgotten = _empty(), 0
        # the marks of two jobs differ, and nobody can tell how
        self._factor = secrets.randbits(62) | 1

    def among(self, job_no: int, keys: Iterable[int]) -> set[int]:
        """Those of the keys that the job is known to have."""
        slots, of_job = self._slots, self._of(job_no)
        return {
            key
            for key in keys
            if slots[(mark := key ^ of_job) & _PLACE] == mark
            or slots[mark >> _SECOND & _PLACE] == mark
            or slots[(mark >> _THIRD & _ASIDE) + _LARGE] == mark
        }

    def add(self, job_no: int, keys: Iterable[int]) -> None:
        """Notes that the store has these now."""
        of_job = self._of(job_no)
        for key in keys:
            self._put(key ^ of_job)

    def _put(self, mark: int) -> None:
        slots, turn = self._slots, mark
        for _ in range(_MOVES):
            places = mark & _PLACE, mark >> _SECOND & _PLACE, (mark >> _THIRD & _ASIDE) + _LARGE
            for place in places:
                if slots[place] in (0, mark):
                    slots[place] = mark
                    return
            turn += 1
            place = places[turn % 3]
            mark, slots[place] = slots[place], mark
        self._forgotten += 1
        if self._forgotten >= _FORGETS:
            self._slots, self._forgotten = _empty(), 0

    def note(self, finish: Finish, verdict: Verdict) -> None:
        """The store has a recorded page's links now; where max_pages dropped some, it may not."""
        if not verdict.full and finish.links:
            self.add(finish.work.job.id, (link.url_hash for link in finish.links))

    def _of(self, job_no: int) -> int:
        return (job_no * self._factor & _KEYS) | _MARK


def _empty() -> "array[int]":
    return array("Q", bytes(8 * (_LARGE + _SMALL)))
