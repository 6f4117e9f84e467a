"""What a task function gives back to RQ, beyond a plain value."""

from rq import Retry

from shared.clock import SECOND, now_us
from shared.errors import CrawlyardError


class TaskFailed(CrawlyardError):
    """The task failed for good; the message is its reason, in one line."""


class Later(Retry):
    """The task goes on later. A stock `rq worker` sees RQ's own `Retry`; the record bounds the attempts."""

    def __init__(self, at: int) -> None:
        #: seconds since the epoch, rounded up from microseconds
        self.due = -(-at // SECOND)
        super().__init__(max=1_000_000, interval=max(1, (at - now_us()) // SECOND))


class Released:
    """The worker is stopping: the task goes back to the front of its queue."""


class Dropped(dict[str, bool]):
    """There is nothing to run: a duplicate delivery, or the task's job is over."""
