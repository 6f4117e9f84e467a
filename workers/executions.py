"""What this process runs at the moment: each execution's thread, deadline and reason to stop."""

import ctypes
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from rq.timeouts import JobTimeoutException

from shared.stages import Work
from workers import leases


class Halt(Enum):
    """Why a running task is to stop at its next step."""

    CANCELLED = "its job was cancelled"
    PAUSED = "its job was paused"
    STOPPING = "its worker is stopping"
    STOPPED = "stopped by an operator"


class ExecutionStopped(BaseException):
    """Raised inside a job that an operator stopped. No Exception, so that a job's own handlers let it pass."""


@dataclass(slots=True, eq=False)
class Running:
    """One execution."""

    job_id: str
    queue: str
    execution_id: str
    #: monotonic
    started: float = field(default_factory=time.monotonic)
    #: the same in seconds since the epoch
    begun: float = field(default_factory=time.time)
    #: whether Redis was told of it in full
    told: bool = False
    #: monotonic moment after which the watchdog interrupts it
    deadline: float = float("inf")
    thread: int = 0
    halt: Halt | None = None
    work: Work | None = None
    #: moment of `leases.clock` until which the task is surely ours
    held_until: float = float("inf")
    #: begun before any commit has started it (workers/promised.py)
    is_promised: bool = False
    #: seconds for which it waited for that commit
    waited: float = 0.0

    def halted(self) -> bool:
        """Asked by the fetch between its steps."""
        return self.halt is not None

    def is_held(self) -> bool:
        """Asked by the fetch before each request."""
        return leases.clock() < self.held_until


class Executions:
    """All executions of the process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
        self._running: dict[str, Running] = {}

    def any(self) -> bool:
        """Whether there are any. No `__len__`: what is empty must not be taken for missing."""
        return bool(self._running)

    def add(self, running: Iterable[Running]) -> None:
        """Counts executions, from the moment their jobs are taken from the queue."""
        with self._lock:
            self._running.update((r.execution_id, r) for r in running)

    def enter(self, running: Running) -> None:
        """Marks the calling thread as the one that runs it."""
        running.thread = threading.get_ident()

    def exit(self, running: Running) -> None:
        """The calling thread is done with it: nothing interrupts it for this any more."""
        with self._lock:
            running.thread = 0

    def leave(self, running: Running) -> None:
        """Ends it, when what became of it is on record."""
        with self._lock:
            self._running.pop(running.execution_id, None)
            if not self._running:
                self._left.notify_all()

    def wait_until_idle(self, seconds: float, unless: Callable[[], bool] = lambda: False) -> bool:
        """Waits until nothing runs, at most so long, or until `unless`; whether nothing runs."""
        with self._left:
            self._left.wait_for(lambda: not self._running or unless(), seconds)
            return not self._running

    def all(self) -> list[Running]:
        """A snapshot."""
        with self._lock:
            return list(self._running.values())

    def works(self) -> list[Work]:
        """The admitted tasks among them."""
        return [r.work for r in self.all() if r.work is not None]

    def halt_jobs(self, job_nos: Iterable[int], why: Halt) -> None:
        """Stops the tasks of jobs at their next step."""
        gone = set(job_nos)
        for running in self.all():
            if running.work is not None and running.work.job.id in gone:
                running.halt = running.halt or why

    def halt_all(self) -> None:
        """Stops all tasks at their next step, to be put back."""
        for running in self.all():
            running.halt = running.halt or Halt.STOPPING
        with self._left:
            self._left.notify_all()

    def stop(self, job_id: str | None = None, execution_id: str | None = None) -> bool:
        """An operator's stop of a job or an execution: a task at its next step, any other job at once."""
        for running in self.all():
            if execution_id in (None, running.execution_id) and job_id in (None, running.job_id):
                running.halt = Halt.STOPPED
                if running.work is None:
                    # a task is stopped at its next step; other code has none that would ask
                    self._interrupt(running, ExecutionStopped)
                return True
        return False

    def interrupt_overdue(self, now: float) -> None:
        """Raises RQ's timeout inside the threads of overdue executions."""
        for running in self.all():
            if running.deadline < now:
                running.deadline = float("inf")
                self._interrupt(running, JobTimeoutException)

    def _interrupt(self, running: Running, error: type[BaseException]) -> None:
        with self._lock:
            # inside the lock: the thread cannot leave, and run something else, meanwhile
            if running.execution_id in self._running and running.thread:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(running.thread), ctypes.py_object(error))
