"""How far a crawl is, for a terminal and for a pipe."""

import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from api.cli.text import echo, span
from shared.relay import plain

RATE_WINDOW = 10.0
LINE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at a running job."""

    #: pages known so far, without the skipped ones
    total: int
    #: pages completed or failed
    done: int
    failed: int
    #: pages a second over the last ten seconds
    rate: float

    @property
    def eta(self) -> float | None:
        """Seconds to go at the present rate, None while there is none."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None

    def line(self) -> str:
        """All of it in one line."""
        eta = "-" if self.eta is None else span(self.eta)
        return f"{self.done} of {self.total} pages, {self.rate:.1f}/s, {self.failed} failed, ETA {eta}"


class Meter:
    """Turns the job documents of the API into Progress."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def read(self, job: dict[str, Any], now: float) -> Progress:
        """`now`: seconds of a monotonic clock."""
        counts = job.get("progress") or {}
        failed = int(counts.get("failed_tasks") or 0)
        done = int(counts.get("completed_tasks") or 0) + failed
        total = int(counts.get("total_tasks") or 0) - int(counts.get("skipped_tasks") or 0)
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[0][0] < now - RATE_WINDOW:
            self._seen.popleft()
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return Progress(total, done, failed, (after - before) / (last - first) if last > first else 0.0)


class Show(Protocol):
    """Somewhere to show progress."""

    def update(self, progress: Progress) -> None:
        """Shows the newest state."""

    def tell(self, line: str) -> None:
        """Shows a line that stays."""

    def close(self) -> None:
        """Leaves the terminal as it was."""


class Lines:
    """Plain lines, when something has changed and at most every two seconds."""

    def __init__(self, *, err: bool) -> None:
        self._err = err
        self._last: tuple[int, int, int] | None = None
        self._next = 0.0

    def update(self, progress: Progress) -> None:
        """Prints a line if it is time for one."""
        state = (progress.total, progress.done, progress.failed)
        now = time.monotonic()
        if state != self._last and now >= self._next:
            echo(progress.line(), err=self._err)
            self._last, self._next = state, now + LINE_SECONDS

    def tell(self, line: str) -> None:
        """Prints it."""
        echo(line, err=self._err)

    def close(self) -> None:
        """Nothing to tidy."""


class Bar:
    """A live bar on a terminal."""

    def __init__(self, *, err: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn
        from rich.progress import Progress as RichProgress

        columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"))
        self._bar = RichProgress(*columns, console=Console(stderr=err), transient=True)
        self._bar.start()
        self._task = self._bar.add_task("starting", total=None)

    def update(self, progress: Progress) -> None:
        """Moves the bar."""
        total = progress.total or None
        self._bar.update(self._task, description=progress.line(), total=total, completed=progress.done)

    def tell(self, line: str) -> None:
        """Prints it above the bar."""
        self._bar.console.print(plain(line), markup=False, highlight=False, emoji=False, soft_wrap=True)

    def close(self) -> None:
        """Takes the bar away."""
        self._bar.stop()


def make_show(*, err: bool) -> Show:
    """A bar on a terminal, lines in a pipe; `err`: on stderr."""
    return Bar(err=err) if (sys.stderr if err else sys.stdout).isatty() else Lines(err=err)
