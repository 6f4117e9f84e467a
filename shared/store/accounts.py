"""The numbers of one job inside a transaction, from its locked row and back to it."""

from dataclasses import dataclass, field
from typing import Any

from shared.stages import Finish
from shared.store import counters
from shared.store.promises import Promises


@dataclass(slots=True)
class Account:
    """One job's numbers inside the transaction."""

    job_id: int
    job_ms: int
    next_seq: int
    n_pages: int
    n_open: int
    n_inflight: int
    window: int
    discovering: int
    promises: Promises
    #: whether the job has a max_depth
    by_levels: bool = False
    is_paused: bool = False
    tally: counters.Tally = field(default_factory=counters.Tally)
    #: why nothing of the job can be crawled
    error: str | None = None
    #: as the job has it, and as discovery has now settled it
    known_origin: str | None = None
    origin: str | None = None
    was_reopened: bool = False
    #: whether its domain had been crawled before
    is_again: bool = False
    #: pages that ended in this transaction
    freed: int = 0

    def ended(self, counts_as_page: bool) -> None:
        """A page task left its slot for good; one that was skipped gives its place under max_pages back."""
        self.n_open -= 1
        self.n_inflight -= 1
        self.freed += 1
        self.n_pages -= 0 if counts_as_page else 1

    def follow(self) -> bool:
        """A promised page takes the place of one that ended; whether there is one for it."""
        if self.is_paused or not self.freed or self.n_inflight >= self.window:
            return False
        self.n_inflight += 1
        self.freed -= 1
        return True

    def reopened(self) -> None:
        """A failed page task is in the queue again."""
        self.n_open += 1
        self.n_inflight += 1
        self.was_reopened = True

    def discovery_ended(self, outcome: Finish) -> None:
        """Discovery is over, for better or worse."""
        self.discovering = 0
        # what it has found is crawled all the same: only a job without any page fails with its discovery
        self.error = outcome.job_error if self.next_seq <= 2 else None

    def discovery_reopened(self) -> None:
        """Discovery is in the queue again."""
        self.discovering = 1
        self.was_reopened = True

    def fail(self, reason: str) -> None:
        """Nothing of the job can be crawled."""
        self.error = reason

    def is_full(self, max_pages: int) -> bool:
        """Whether max_pages (0: unlimited) leaves no room."""
        return 0 < max_pages <= self.n_pages

    @property
    def half(self) -> int:
        """The slots that pages of hosts to be waited for may take when others need some too."""
        return max(1, self.window // 2)

    @property
    def is_over(self) -> bool:
        """Whether every task has ended."""
        return not self.discovering and self.n_open == 0


def opened(row: Any, now: int) -> Account:
    """From the job's locked row."""
    return Account(
        row.job_id,
        row.created_at // 1000,
        row.next_seq,
        row.n_pages,
        row.n_open,
        row.n_inflight,
        row.window,
        row.discovering,
        Promises(row.promised, now),
        row.max_depth is not None,
        row.paused_at is not None,
        known_origin=row.origin,
        is_again=row.earlier_crawl is not None,
    )


def saved(a: Account) -> dict[str, int | str | None]:
    """For the job's row."""
    return {
        "job_id": a.job_id,
        "next_seq": a.next_seq,
        "n_pages": a.n_pages,
        "n_open": a.n_open,
        "n_inflight": a.n_inflight,
        "discovering": a.discovering,
        "promised": a.promises.text(),
    }
