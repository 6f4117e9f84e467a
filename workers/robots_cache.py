"""The robots.txt of the origins crawled lately: each fetched once for all workers, and for a day at most."""

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from shared.clock import SECOND
from shared.errors import QueueUnavailable
from workers.errors import BadUrl, Cancelled, FetchError, RobotsPending, RobotsUnavailable, TooManyRedirects, of_kind
from workers.fetch import Fetcher, Response
from workers.gates import Gate
from workers.retry import retry_after_seconds
from workers.robots import MAX_ROBOTS, RobotsRules, text_of
from workers.robots_store import RobotsStore, StoredRobots

log = logging.getLogger(__name__)

MAX_ORIGINS = 1_000
#: seconds: without a Cache-Control, and the bounds of its max-age (RFC 9309, 2.4: a day at most)
TTL, LEAST_TTL, MOST_TTL = 3_600.0, 300.0, 86_400.0
#: seconds that a failure is remembered, so that a crawl's tasks do not each wait for it
FAILURE_TTL = 10.0
#: seconds that a task waits for another one's fetch before it gives its thread back
_PATIENCE = 0.5
_MAX_AGE = re.compile(r"\bmax-age\s*=\s*\"?(\d{1,9})", re.I)

Visit = Callable[[str, Callable[[], bool] | None], AbstractContextManager[Gate | None]]


class _Entry:
    """The rules of one origin, or the failure to get them. The lock makes the fetch single."""

    __slots__ = ("agent", "expires", "failure", "key", "lock", "origin", "rules")

    def __init__(self, origin: str, agent: str, key: str) -> None:
        self.origin, self.agent = origin, agent
        #: of the file in the shared store
        self.key = key
        self.lock = threading.Lock()
        self.expires = 0.0
        self.rules: RobotsRules | None = None
        self.failure: FetchError | None = None


class RobotsCache:
    """The rules of origins. Thread-safe."""

    def __init__(
        self,
        fetcher: Fetcher,
        user_agent: str,
        shared: RobotsStore | None = None,
        visit: Visit = lambda origin, cancelled: nullcontext(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`visit` waits for turns at the host; `clock` in seconds since the epoch."""
        self._fetcher, self._user_agent = fetcher, user_agent
        self._shared, self._visit, self._clock = shared, visit, clock
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def rules(
        self, origin: str, cancelled: Callable[[], bool] | None = None, user_agent: str | None = None
    ) -> RobotsRules:
        """The rules of `origin` (`scheme://host[:port]`) for our `user_agent`, or a job's own.

        Raises RobotsPending while another task fetches them, RobotsUnavailable for 429 and 5xx, the FetchError
        where the host cannot be reached, Cancelled. Rules had before stay in force while new ones cannot be had.
        """
        entry = self._entry(origin, user_agent or self._user_agent)
        if self._clock() >= entry.expires:
            self._renew(entry, cancelled)
        if entry.rules is not None:
            return entry.rules
        raise _again(entry.failure)

    def known(self, origin: str, user_agent: str | None = None) -> RobotsRules | None:
        """The rules of an origin if this process has them: asks nobody."""
        entry = self._entries.get((origin, user_agent or self._user_agent))
        return entry.rules if entry is not None else None

    def _renew(self, entry: _Entry, cancelled: Callable[[], bool] | None) -> None:
        if not entry.lock.acquire(timeout=0 if entry.rules else _PATIENCE):
            if entry.rules is not None:
                return  # good enough until the other task has the new ones
            raise RobotsPending
        try:
            if self._clock() >= entry.expires:
                self._refresh(entry, cancelled)
        finally:
            entry.lock.release()

    def _entry(self, origin: str, agent: str) -> _Entry:
        entry = self._entries.get((origin, agent))
        if entry is not None:
            return entry
        with self._lock:
            key = origin if agent == self._user_agent else f"{origin} {agent}"
            entry = self._entries.setdefault((origin, agent), _Entry(origin, agent, key))
            if len(self._entries) > MAX_ORIGINS:
                self._entries.popitem(last=False)
            return entry

    def _refresh(self, entry: _Entry, cancelled: Callable[[], bool] | None) -> None:
        stored = self._stored(entry.key)
        if stored is None or self._clock() >= stored.fresh_until:
            if not self._may_fetch(entry.key):
                if entry.rules is None and (stored is None or stored.text is None):
                    raise RobotsPending
            else:
                stored = self._fetched(entry, stored, cancelled)
        if stored is not None:
            self._take(entry, stored)

    def _take(self, entry: _Entry, stored: StoredRobots) -> None:
        if stored.text is not None:
            entry.rules = RobotsRules(stored.text, entry.agent)
        entry.failure = None if stored.failure is None else of_kind(*stored.failure)
        if isinstance(entry.failure, RobotsUnavailable):
            entry.failure.retry_after = stored.retry_after
        entry.expires = max(stored.fresh_until, self._clock() + 1.0) if stored.failure is None else stored.fresh_until

    def _fetched(
        self, entry: _Entry, before: StoredRobots | None, cancelled: Callable[[], bool] | None
    ) -> StoredRobots:
        try:
            robots = self._fetch(entry, cancelled)
        except Cancelled:
            self._give_up(entry.key)
            raise  # says nothing about the host
        except FetchError as error:
            text = before.text if before else None
            retry_after = error.retry_after if isinstance(error, RobotsUnavailable) else None
            pause = max(FAILURE_TTL, retry_after_seconds(retry_after, round(self._clock() * SECOND)))
            robots = StoredRobots(text, self._clock() + pause, (error.kind, error.message), retry_after)
        self._keep(entry.key, robots)
        return robots

    def _fetch(self, entry: _Entry, cancelled: Callable[[], bool] | None) -> StoredRobots:
        try:
            with self._visit(entry.origin, cancelled) as gate:
                response = self._fetcher.get(
                    f"{entry.origin}/robots.txt",
                    headers={"user-agent": entry.agent},
                    cancelled=cancelled,
                    max_body=MAX_ROBOTS,
                    cut=True,
                    gate=gate,
                )
        except (TooManyRedirects, BadUrl):  # RFC 9309, 2.3.1.2: as if there were none
            return StoredRobots("", self._clock() + TTL)
        text = text_of(response.status_code, response.body, response.headers.get("retry-after"))
        return StoredRobots(text, self._clock() + lifetime(response))

    # Without Redis each process fetches for itself: a crawl under way must not end for that.

    def _stored(self, key: str) -> StoredRobots | None:
        try:
            return self._shared.get(key) if self._shared else None
        except QueueUnavailable as error:
            log.warning("%s", error.message)
            return None

    def _may_fetch(self, key: str) -> bool:
        try:
            return self._shared.may_fetch(key) if self._shared else True
        except QueueUnavailable:
            return True

    def _keep(self, key: str, robots: StoredRobots) -> None:
        try:
            if self._shared:
                self._shared.put(key, robots)
        except QueueUnavailable as error:
            log.warning("%s", error.message)

    def _give_up(self, key: str) -> None:
        try:
            if self._shared:
                self._shared.give_up(key)
        except QueueUnavailable as error:
            log.warning("%s", error.message)


def lifetime(response: Response) -> float:
    """Seconds for which a robots.txt holds: its Cache-Control max-age, within bounds."""
    found = _MAX_AGE.search(response.headers.get("cache-control", ""))
    return min(max(float(found[1]), LEAST_TTL), MOST_TTL) if found else TTL


def _again(failure: FetchError | None) -> FetchError:
    """A failure to raise once more: exceptions are not shared between threads."""
    if failure is None:
        return RobotsPending()
    again = type(failure)(failure.message)
    if isinstance(again, RobotsUnavailable) and isinstance(failure, RobotsUnavailable):
        again.retry_after = failure.retry_after
    return again
