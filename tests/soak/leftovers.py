"""What a crawl may leave in Redis: what expires, and what belongs to living processes."""

import re
from typing import Any

from shared import ids
from shared.models import Job
from shared.queue import ALL_QUEUES, connect
from shared.states import TaskState
from tests.soak.report import Report

#: keys that stay without an end: sets of names, registries that are cleaned by score, the metrics
_LASTING = re.compile(r"rq:queues|rq:workers.*|rq:(finished|failed):\w+|crawlyard:measures")


def check(report: Report, redis_url: str, job: Job, rows: list[Any]) -> None:
    """Looks for what should be gone."""
    with connect(redis_url, decode_responses=True) as link:
        for name in ALL_QUEUES:
            report.expect(not link.llen(f"rq:queue:{name}"), f"{link.llen(f'rq:queue:{name}')} left in queue {name}")
            for registry in ("wip", "scheduled"):
                left = link.zrange(f"rq:{registry}:{name}", 0, -1)
                report.expect(not left, f"{len(left)} left in {registry} of {name}: {left[:2]}")
        lasting = [key for key in link.scan_iter(count=1000) if link.ttl(key) == -1 and not _LASTING.fullmatch(key)]
        report.expect(not lasting, f"{len(lasting)} keys are left behind for ever: {lasting[:5]}")
        hexes = {ids.task_uuid(job.ms, row.id).hex: row for row in rows}
        left = [h for h in hexes if _is_left(link, h)]
        told = [(h, link.hget(f"rq:job:{h}", "status"), TaskState(hexes[h].state).name) for h in left[:3]]
        report.expect(not left, f"{len(left)} job hashes left: {told}")


def _is_left(link: Any, task: str) -> bool:
    status = link.hget(f"rq:job:{task}", "status")
    return status is not None and (status not in ("finished", "failed") or link.ttl(f"rq:job:{task}") < 0)
