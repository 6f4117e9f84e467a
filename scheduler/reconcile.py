"""Makes rq-scheduler's set say what SQL says: at the start and every minute, by as many schedulers as there are."""

import logging

from shared import timetable
from shared.clock import now_us
from shared.queue import TaskQueue
from shared.store import Store, schedules

log = logging.getLogger(__name__)


def reconcile(store: Store, queue: TaskQueue) -> int:
    """Puts runs that are missing and takes entries away that are wrong; how many. Raises Unavailable.

    What changes meanwhile is put right by the next look; a wrong entry starts nothing, for its due time is none.
    A run whose moment has come is not put: it may be in its queue by now, and overdue ones are started by the record.
    """
    now = now_us()
    runs = {timetable.entry(due): due for due in schedules.timetable(store)}
    wanted = {name: timetable.moment(due) for name, due in runs.items()}
    put, remove = timetable.differences(wanted, timetable.read(queue))
    put = {name for name in put if runs[name].fire_at > now}
    timetable.write(queue, [runs[name] for name in sorted(put)], sorted(remove))
    if put or remove:
        log.info("timetable: %d runs put, %d entries removed", len(put), len(remove))
    return len(put) + len(remove)
