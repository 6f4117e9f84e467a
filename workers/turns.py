"""A page's turn at its host: waits that are short, delays that are not, penalties for hosts that block us."""

import logging
import time
from collections.abc import Callable

from shared import urls
from shared.clock import SECOND, now_us
from shared.errors import QueueUnavailable
from shared.stages import Work
from workers.errors import Cancelled
from workers.politeness import SHORT
from workers.retry import Answer, is_blocking, retry_after_seconds
from workers.runtime import Runtime

log = logging.getLogger(__name__)

REASON = "Waiting for its turn at the host"
_STEP = 0.1


def early(ctx: Runtime, work: Work, crawl_delay: float | None, halted: Callable[[], bool]) -> int | None:
    """The moment (microseconds) to come back at; None: it is this page's turn. Raises Cancelled.

    While Redis is away nobody can say, and the page waits.
    """
    host = urls.split(work.url)[0].partition("://")[2]
    while True:
        try:
            wait = ctx.politeness.wait(host, str(work.id), crawl_delay)
        except QueueUnavailable as error:
            log.warning("%s", error.message)
            wait = SHORT * 2
        if wait <= 0:
            return None
        if wait > SHORT:
            return now_us() + round(wait * SECOND)
        _sleep(wait, halted)


def _sleep(seconds: float, halted: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if halted():
            raise Cancelled
        time.sleep(min(left, _STEP))


def note(ctx: Runtime, url: str, answer: Answer) -> None:
    """Slows the whole host down after a blocking answer, as long as its Retry-After asks; others speed it up."""
    host = urls.split(url)[0].partition("://")[2]
    try:
        if is_blocking(answer):
            pause = retry_after_seconds(answer.retry_after, now_us())
            ctx.politeness.penalise(host, time.time() + pause)
        else:
            ctx.politeness.relax(host)
    except QueueUnavailable as error:
        log.warning("%s", error.message)
