"""A worker that notes the CPU time of each stage: `python -m tests.bench.staged`, as `crawlyard worker` otherwise.

Thread CPU time, each stage without the stages inside it. Written to $BENCH_STAGES when the worker ends.
"""

import functools
import importlib
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: stage: what is counted as it; a function is `module:qualified name`
STAGES = {
    "fetch": ("workers.fetch:Fetcher.get",),
    "parse": ("workers.crawl:parse_html",),
    "links": ("workers.parse:_find",),
    "canonicalise": ("workers.parse:_resolved", "workers.links:new_links"),
    "robots, politeness": ("workers.crawl:_barred", "workers.turns:note"),
    "changes": ("workers.observe:completed",),
    "commit": ("workers.committer:Committer._commit",),
    "queue": (
        "workers.worker:ConcurrentWorker._take",
        "workers.teller:Teller.tell",
    ),
    "task": ("workers.perform:Performer.perform", "workers.perform:Performer._recorded"),
}


class Clock:
    """Adds up thread CPU time by stage."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._local = threading.local()
        self._lock = threading.Lock()

    def wrapped(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted; a generator is run to its end."""

        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            inner: list[float] = getattr(self._local, "inner", None) or [0.0]
            self._local.inner = inner
            inner.append(0.0)
            began = time.thread_time()
            try:
                found = function(*args, **kwargs)
                return list(found) if isinstance(found, Iterator) else found
            finally:
                took = time.thread_time() - began
                own = took - inner.pop()
                inner[-1] += took
                with self._lock:
                    self.spent[stage] += own

        return counted


def install(clock: Clock) -> None:
    """Puts the clock around the functions of all stages."""
    for stage, names in STAGES.items():
        for name in names:
            module, _, path = name.partition(":")
            owner: Any = importlib.import_module(module)
            *outer, attribute = path.split(".")
            for part in outer:
                owner = getattr(owner, part)
            setattr(owner, attribute, clock.wrapped(stage, getattr(owner, attribute)))


def main() -> None:
    """Runs a worker."""
    from workers.__main__ import main as work

    clock = Clock()
    install(clock)
    began = time.process_time()
    try:
        work(standalone_mode=False)
    finally:
        told = dict(clock.spent) | {"rest": time.process_time() - began - sum(clock.spent.values())}
        Path(os.environ["BENCH_STAGES"]).write_text(json.dumps(told))


if __name__ == "__main__":
    main()
