"""Promises: pending tasks that one worker may begin as others of their job end, before a commit has started them.

A promise is no state of a task. It keeps others from claiming it for as long as it lasts, and a commit starts it in
the place of one that ended. Nothing is to be cleaned up after a worker that has died: what it was promised lapses.
docs/decisions.md, "Promises".
"""

from collections.abc import Iterable
from typing import Any

import orjson

from shared import ids


class Promises:
    """Those of one job, by the name of the worker; task ids, moments in microseconds."""

    __slots__ = ("_by_worker",)

    def __init__(self, text: str | None, now: int) -> None:
        """From the job's row: what has not lapsed."""
        found: dict[str, list[Any]] = orjson.loads(text) if text else {}
        self._by_worker = {worker: given for worker, given in found.items() if given[0] > now}

    def tasks(self, job_no: int) -> set[int]:
        """The tasks that are promised to anybody."""
        return {ids.pack(job_no, seq) for _, promised in self._by_worker.values() for seq in promised}

    def of(self, job_no: int, worker: str) -> set[int]:
        """Those that are promised to one worker."""
        _, promised = self._by_worker.get(worker, (0, ()))
        return {ids.pack(job_no, seq) for seq in promised}

    def put(self, worker: str, task_ids: Iterable[int], until: int) -> None:
        """What is promised to a worker from now on, in place of what was."""
        seqs = [ids.seq_of(i) for i in task_ids]
        if seqs:
            self._by_worker[worker] = [until, seqs]
        else:
            self._by_worker.pop(worker, None)

    def clear(self) -> None:
        """Takes all back."""
        self._by_worker = {}

    def text(self) -> str | None:
        """For the job's row."""
        return orjson.dumps(self._by_worker).decode() if self._by_worker else None
