"""A task's turns at its hosts: waits that are short, delays that are not, and what each answer says of the host."""

import logging
import random
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Self

from shared.clock import SECOND, now_us
from shared.errors import QueueUnavailable
from workers.errors import Cancelled, FetchError, HostBusy, TurnLost, Unanswered
from workers.fetch import Response
from workers.large import Place, Places
from workers.politeness import FRESH, FULL, SHORT, Blocks, Politeness, host_of
from workers.retry import Answer, is_blocking, retry_after_seconds

log = logging.getLogger(__name__)

REASON = "Waiting for its turn at the host"
#: seconds that a request in the middle of a task (a redirect, a sitemap) waits for its turn
PATIENCE = 90.0
_STEP = 0.1
_CONNECTION_STEP = 0.02


class Turn:
    """One task's permissions to ask hosts. Give it to `Fetcher.get` as its gate; leave it when done."""

    __slots__ = (
        "_counted",
        "_delay",
        "_granted",
        "_halted",
        "_held",
        "_leaving",
        "_load",
        "_politeness",
        "_task",
        "_who",
        "has_asked",
        "place",
    )

    def __init__(
        self,
        politeness: Politeness,
        task: str,
        halted: Callable[[], bool] | None,
        counted: bool = False,
        places: Places | None = None,
    ) -> None:
        """`counted`: its requests are noted even where no interval is known yet. `places` are for large bodies."""
        self._politeness, self._task, self._halted, self._counted = politeness, task, halted, counted
        #: the host that the next request may go to at once
        self._granted: str | None = None
        self._held: set[str] = set()
        self._load: str | None = None
        #: its own host, and that one's Crawl-delay
        self._delay: tuple[str, float | None] = ("", None)
        #: who asks to send: not the task, which may have been started twice
        self._who = ""
        #: the host that a request is leaving for
        self._leaving: str | None = None
        #: whether any request has left
        self.has_asked = False
        #: for what it fetches, until it is left
        self.place = Place(Places() if places is None else places, self.is_halted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        self.place.leave()
        if self._load is not None:
            self._politeness.loads.leave(self._load)
            self._load = None

    def early(self, url: str, crawl_delay: float | None) -> int | None:
        """The moment (microseconds) to come back at; None: it is this task's turn. Raises Cancelled.

        While Redis is away nobody can say, and the page waits.
        """
        host = host_of(url)
        if not self._politeness.loads.enter(host, SHORT, self.is_halted):
            return _soon()
        self._load, self._delay = host, (host, crawl_delay)
        wait = self._waited(host, crawl_delay)
        if wait == 0:
            self._granted = host
            return None
        return _soon() if wait < 0 else now_us() + round(wait * SECOND)

    def _waited(self, host: str, crawl_delay: float | None) -> float:
        """Waits out what is short: 0 when it is our turn, else the seconds that are left, or FULL."""
        end = time.monotonic() + SHORT
        while True:
            wait = self._ask(host, crawl_delay, urgent=False)
            if wait == 0 or wait > SHORT:
                return wait
            if wait == FULL and time.monotonic() > end:
                return FULL
            self.rest(_CONNECTION_STEP if wait < 0 else wait)

    def _ask(self, host: str, crawl_delay: float | None, urgent: bool) -> float:
        try:
            wait = self._politeness.wait(host, self._task, crawl_delay, urgent)
        except QueueUnavailable as error:
            log.warning("%s", error.message)
            return SHORT * 2
        if wait == 0:
            self._held.add(host)
        return wait

    def __call__(self, url: str) -> None:
        """Waits until a connection may be made. Raises HostBusy where that would take too long, Cancelled.

        Before its first request a task that can come back does not wait long.
        """
        host = host_of(url)
        if self._granted == host:
            self._granted = None
            return
        patience = SHORT if self._load is not None and not self.has_asked else PATIENCE
        end = time.monotonic() + patience
        while (wait := self._ask(host, None, urgent=True)) != 0:
            if time.monotonic() + wait > end:
                raise HostBusy(f"{host} is not to be asked again for {max(wait, 1):.0f} s", max(wait, SHORT))
            self.rest(_CONNECTION_STEP if wait < 0 else min(wait, 1.0))

    def go(self, url: str) -> None:
        """The connection is open: waits for the moment to send. Raises TurnLost where that is not soon, Cancelled."""
        host = host_of(url)
        end = time.monotonic() + 2 * SHORT
        while (wait := self._departure(host)) != 0:
            if wait > SHORT or time.monotonic() + wait > end:
                raise TurnLost(seconds=wait)
            self.rest(wait)
        self.has_asked = True

    def _departure(self, host: str) -> float:
        """Seconds until a request may leave for a host; 0: at once."""
        asked, delay = time.monotonic(), self._crawl_delay(host)
        try:
            if not self._counted and not self._politeness.is_paced(host, delay):
                return 0.0
            self._who = self._who or uuid.uuid4().hex
            wait = self._politeness.go(host, self._who, delay)
        except QueueUnavailable as error:
            log.warning("%s", error.message)
            return SHORT * 2
        if wait == 0 and time.monotonic() - asked > FRESH:
            return _CONNECTION_STEP  # somebody else may think that it has left by now
        self._leaving = host if wait == 0 else None
        return wait

    def went(self, url: str) -> None:
        """The request has left."""
        host, self._leaving = self._leaving, None
        if host is None:
            return
        try:
            self._politeness.went(host, self._who, self._crawl_delay(host))
        except QueueUnavailable as error:
            log.warning("%s", error.message)

    def _crawl_delay(self, host: str) -> float | None:
        return self._delay[1] if self._delay[0] == host else None

    def close(self) -> None:
        """Gives the connections back."""
        while self._held:
            try:
                self._politeness.release(self._held.pop(), self._task)
            except QueueUnavailable as error:
                log.warning("%s", error.message)

    def is_halted(self) -> bool:
        """Whether the task is to stop."""
        return self._halted is not None and self._halted()

    def rest(self, seconds: float) -> None:
        """Waits. Raises Cancelled once the task is to stop."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.is_halted():
                raise Cancelled
            time.sleep(min(left, _STEP))


def visits(politeness: Politeness) -> Callable[[str, Callable[[], bool] | None], Turn]:
    """Turns for requests that belong to no task alone, as those for robots.txt: each counts, whatever is known yet."""

    def visit(origin: str, halted: Callable[[], bool] | None) -> Turn:
        return Turn(politeness, f"visit-{uuid.uuid4().hex}", halted, counted=True)

    return visit


def _soon() -> int:
    return now_us() + round((SHORT + random.random() * SHORT) * SECOND)


def note(politeness: Politeness, response: Response, blocked: bool) -> Blocks:
    """Slows the whole host down after a blocking answer, as long as its Retry-After asks, and after a slow one.

    Other answers speed it up. Returns its refusals in a row.
    """
    host = host_of(response.url)
    interval = 0.0 if response.history else politeness.loads.answered(host, response.elapsed_ms / 1000)
    answer = Answer(response.status_code, response.headers.get("retry-after"))
    try:
        if blocked or is_blocking(answer):
            pause = retry_after_seconds(answer.retry_after, now_us())
            return politeness.penalise(host, time.time() + pause)
        if interval:
            politeness.slow(host, interval)
        else:
            politeness.relax(host)
    except QueueUnavailable as error:
        log.warning("%s", error.message)
    return Blocks()


def note_failure(politeness: Politeness, url: str, error: FetchError, seconds: float) -> None:
    """Slows a host down that did not answer; `seconds` is how long it was waited for."""
    if not isinstance(error, Unanswered):
        return
    host = host_of(url)
    interval = politeness.loads.failed(host, seconds)
    try:
        if interval:
            politeness.slow(host, interval)
    except QueueUnavailable as away:
        log.warning("%s", away.message)
