"""The last hour of the queue as small lines."""

import time
from dataclasses import dataclass

from api.context import Call
from api.dashboard.charts import sparkline
from shared import history
from shared.history import Pace

#: seconds that a line shows at least
_SHORTEST = 300
_COUNTS = ("waiting", "active", "delayed")
_ENDS = ("completed", "failed")


@dataclass(frozen=True, slots=True)
class Trends:
    """The last hour."""

    #: tasks a minute over the last minute; None while there are no samples
    pace: Pace | None
    #: the points of a line by name: counts of the queue, and tasks a minute that ended so
    lines: dict[str, str]


def trends(call: Call) -> Trends:
    """The last hour up to now."""
    samples, until = history.read(call.queue), time.time()
    values = {name: [(sample.at, float(getattr(sample, name))) for sample in samples] for name in _COUNTS}
    paces = history.paces(samples)
    values |= {name: [(pace.at, float(getattr(pace, name))) for pace in paces] for name in _ENDS}
    # a line of a young system is as wide as that of an old one, from five minutes on
    since = max(until - history.SPAN, min((sample.at for sample in samples), default=until))
    since = min(since, until - _SHORTEST)
    return Trends(history.recent(samples), {name: sparkline(line, since, until) for name, line in values.items()})
