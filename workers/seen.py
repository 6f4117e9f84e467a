"""Which pages the store is known to have: most links of a page are old news."""

import secrets
from array import array
from collections.abc import Iterable

from shared.stages import Finish, Verdict

#: 8 MiB, for all jobs of the process together
_SLOTS = 2**20
_PLACE = _SLOTS - 1
#: bits of a mark that the second slot goes without
_SECOND = 40
_KEYS = 2**62 - 1
#: no mark is 0, which an empty slot has
_MARK = 2**62


class SeenUrls:
    """Keys of URLs that the store is known to have, by job. What it forgets is only asked for again.

    Each key has two slots, and pushes out what is in the second where both are taken: a set would grow with the crawl.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _SLOTS))
        # the marks of two jobs differ, and nobody can tell how
        self._factor = secrets.randbits(62) | 1

    def among(self, job_no: int, keys: Iterable[int]) -> set[int]:
        """Those of the keys that the job is known to have."""
        slots, of_job = self._slots, self._of(job_no)
        return {
            key
            for key in keys
            if slots[(mark := key ^ of_job) & _PLACE] == mark or slots[mark >> _SECOND & _PLACE] == mark
        }

    def add(self, job_no: int, keys: Iterable[int]) -> None:
        """Notes that the store has these now."""
        slots, of_job = self._slots, self._of(job_no)
        for key in keys:
            mark = key ^ of_job
            first = mark & _PLACE
            slots[first if slots[first] in (0, mark) else mark >> _SECOND & _PLACE] = mark

    def note(self, finish: Finish, verdict: Verdict) -> None:
        """The store has a recorded page's links now; where max_pages dropped some, it may not."""
        if not verdict.full and finish.links:
            self.add(finish.work.job.id, (link.url_hash for link in finish.links))

    def _of(self, job_no: int) -> int:
        return (job_no * self._factor & _KEYS) | _MARK
