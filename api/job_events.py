"""`GET /v1/jobs/{id}/events`: a crawl as it goes, as server-sent events.

Each look at the store is a few short reads; between two looks a stream holds nothing but its thread.
"""

import re
from typing import Any

from flask import request

from api import lookup, streams
from api.context import Answer, Call, Stream
from api.jobs import progress_result
from api.schemas.common import NoQuery
from shared.clock import SECOND, iso, now_us
from shared.errors import NotFound
from shared.models import Job
from shared.states import ACTIVE_JOB
from shared.store import Store, failures, jobs, progress
from shared.store.failures import Failure
from shared.store.progress import Progress

#: a commit that began before another may end after it: so far back a look looks again
_OVERLAP = 5 * SECOND
#: failures told after one look, and of a job that has ended
_BATCH, _AT_END = 100, 1_000
#: what our ids look like: a moment in microseconds, and whether it was the end
_ID = re.compile(r"(\d{1,18})(-end)?").fullmatch


def watch_job(call: Call, _given: NoQuery) -> Answer | Stream:
    """Progress, state and failed pages of a crawl job, until it ends or five minutes are over.

    Events: `progress` and `state` with what they are now, at first and on each change; `task` for each page that
    failed; `end`. After `Last-Event-ID` the failures since then follow, now and then one twice. 204: the end was
    told already. 503 with Retry-After: too many streams; poll `GET /v1/jobs/{id}` with If-None-Match instead.
    """
    job = lookup.job(call, call.path["job_id"])
    last = _ID(request.headers.get("Last-Event-ID", ""))
    if last and last[2] and job.state not in ACTIVE_JOB:
        return Answer(b"", status=204)  # which tells an EventSource not to come again
    watch = Watch(call.store, job, int(last[1]) if last else now_us())
    return Stream(call.services.streams.open(watch.look), streams.CONTENT_TYPE)


class Watch:
    """What changes in a job from one look to the next."""

    def __init__(self, store: Store, job: Job, since: int) -> None:
        self._store, self._job = store, job
        #: the newest failure that was told, microseconds
        self._cursor = since
        self._told: dict[str, int] = {}
        self._failed = -1
        self._progress: dict[str, Any] = {}
        self._state: dict[str, Any] = {}

    def look(self) -> tuple[list[bytes], bool]:
        """The events since the look before, and whether they are the last."""
        try:
            self._job = jobs.get(self._store, self._job.id)
        except NotFound:
            return [self._event("end", {"status": "deleted"}, is_end=True)], True
        known = progress.read(self._store, [self._job.id]).get(self._job.id)
        if known is None:
            return [], False
        is_over = self._job.state not in ACTIVE_JOB
        found, has_more = self._failures(known, is_over)
        found += self._changed(known)
        if is_over and has_more:
            return found, False
        if is_over:
            found.append(self._event("end", self._state, is_end=True))
        return found, is_over

    def _changed(self, known: Progress) -> list[bytes]:
        found = []
        counted = progress_result(known).model_dump() | {"running_tasks": known.running}
        if counted != self._progress:
            self._progress = counted
            found.append(self._event("progress", counted))
        state = {"status": self._job.state.name.lower(), "error": self._job.error}
        state["completed_at"] = iso(self._job.completed_at)
        if state != self._state:
            self._state = state
            found.append(self._event("state", state))
        return found

    def _failures(self, known: Progress, is_over: bool) -> tuple[list[bytes], bool]:
        """Failed pages, where the count says that there are new ones; and whether there may be more."""
        if known.failed == self._failed and not is_over:
            return [], False
        most = _AT_END if is_over else _BATCH
        new = self._batch(most)
        has_more = len(new) >= most
        self._failed = -1 if has_more else known.failed
        return [self._event("task", _failed(failure)) for failure in new], has_more

    def _batch(self, most: int) -> list[Failure]:
        start = self._cursor - _OVERLAP
        self._told = {uid: at for uid, at in self._told.items() if at > start}
        rows = failures.since(self._store, self._job, start, most + len(self._told))
        new = [failure for failure in rows if failure.uid not in self._told]
        self._told |= {failure.uid: failure.completed_at for failure in new}
        self._cursor = max([self._cursor, *(failure.completed_at for failure in new)])
        return new

    def _event(self, name: str, data: dict[str, Any], is_end: bool = False) -> bytes:
        return streams.event(name, data, f"{self._cursor}{'-end' if is_end else ''}")


def _failed(failure: Failure) -> dict[str, Any]:
    return {
        "id": failure.uid,
        "status": "failed",
        "url": failure.url,
        "status_code": failure.status_code,
        "error": failure.error,
        "completed_at": iso(failure.completed_at),
    }
