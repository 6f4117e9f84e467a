"""`python -m tests.killed POINT ACTION DATABASE REDIS [ARGUMENTS]`: dies by SIGKILL at one point of an action.

POINT: `before` or `after`, a colon, and the full name of a function.
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from scheduler.cron import CronScheduler
from scheduler.reconcile import reconcile
from shared import schedules
from shared.models import Schedule
from shared.queue import TaskQueue, connect
from shared.recurrence import Recurrence
from shared.store import Store, open_store

ACTIONS: dict[str, Callable[..., object]] = {
    "tick": lambda store, queue: CronScheduler(queue).tick(),
    "fire": lambda store, queue, uid, due: schedules.fire(store, queue, uid, int(due)),
    "overdue": schedules.start_overdue,
    "waiting": schedules.start_waiting,
    "reconcile": reconcile,
    "change": lambda store, queue, organisation, uid: schedules.change(
        store, queue, int(organisation), uid, _new_years
    ),
    "remove": lambda store, queue, organisation, uid: schedules.remove(store, queue, int(organisation), uid),
}


def _new_years(schedule: Schedule) -> Schedule:
    return replace(schedule, rule=Recurrence("0 0 1 1 *", "UTC", None))


def die_at(point: str) -> None:
    """Makes the function deadly."""
    when, _, name = point.partition(":")
    owner, _, attribute = name.rpartition(".")
    holder: Any = _find(owner)
    original = getattr(holder, attribute)

    def deadly(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(holder, attribute, deadly)


def _find(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(import_module(module), attribute)


def main(point: str, action: str, database: str, redis: str, *arguments: str) -> None:
    """Lives until the point."""
    store: Store = open_store(database)
    queue = TaskQueue(connect(redis))
    die_at(point)
    ACTIONS[action](store, queue, *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
