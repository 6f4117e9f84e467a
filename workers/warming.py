"""Cache warming: a page that missed the cache is asked for once more, as a delayed step of its own.

The second request tells whether the first one warmed the cache (API.md, "Second request").
"""

from shared import answers
from shared.clock import SECOND
from shared.stages import Fetched, Finish, FirstRequest, Outcome, Recheck, Work
from shared.states import UNCACHED, CacheStatus, TaskState
from workers import cache
from workers.errors import Cancelled, FetchError, HostBusy
from workers.fetch import Response
from workers.guide import fetch
from workers.runtime import Runtime
from workers.turns import Turn

#: microseconds between the two requests, at least and at most
EARLIEST, LATEST = SECOND // 2, SECOND


def first_request(finish: Finish, now: int, rand: float) -> Finish | Recheck:
    """A completed page as it is, or with its second request planned (now: microseconds, rand: 0 to 1)."""
    if finish.state is not TaskState.COMPLETED or finish.fetched.cache_status not in UNCACHED:
        return finish
    return Recheck(finish, now + EARLIEST + round(rand * (LATEST - EARLIEST)))


def second_request(ctx: Runtime, work: Work, first: FirstRequest, turn: Turn) -> Outcome:
    """Asks once more and completes the task, whatever comes of it. Raises Cancelled, HostBusy before it has asked."""
    try:
        second = _measured(fetch(ctx, work, work.url, turn))
    except Cancelled:
        raise
    except FetchError as error:
        if isinstance(error, HostBusy) and not turn.has_asked:
            raise
        second = None
    return Finish(work, TaskState.COMPLETED, first.fetched, second=second, found=first.found, documents=1)


def _measured(response: Response) -> Fetched:
    status = cache.cache_status(response.headers)
    return Fetched(
        response.status_code,
        response.elapsed_ms,
        cache_status=CacheStatus[status] if status else None,
        answer=answers.packed(response.headers, response.phases),
    )
