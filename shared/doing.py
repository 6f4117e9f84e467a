"""What each worker does, as it saw itself at its last look: one short-lived key a worker, written twice a second.

RQ's own data tells only of executions that have lasted a moment (`shared/lua/renew.lua`): most pages are over before,
and a worker that crawls a quick site would seem to do nothing. Ids only: what a job's URL is, the record says.
"""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis
from rq.defaults import RQ_KEY_PREFIX

#: executions that are named; all are counted
MOST = 32
_KEY = "crawlyard:doing:"
#: seconds: ten looks
_LIFETIME = 5


@dataclass(frozen=True, slots=True)
class Doing:
    """What a worker does. Moments in seconds since the epoch; None where it is no worker of ours."""

    #: of the look
    at: float | None
    #: executions
    n: int
    #: (RQ job's id, since when) of some of them, the oldest first
    runs: tuple[tuple[str, float | None], ...]


def tell(redis: Redis, worker: str, runs: Collection[tuple[str, float]]) -> None:
    """Says what a worker does now: (RQ job's id, since when) of each execution. One command."""
    shown = sorted(runs, key=lambda run: run[1])[:MOST]
    redis.set(_KEY + worker, orjson.dumps((round(time.time(), 3), len(runs), shown)), ex=_LIFETIME)


def ask(pipe: Any, worker: str) -> None:
    """Asks for what `read` takes: three answers of a pipeline."""
    executions = f"{RQ_KEY_PREFIX}:worker:{worker}:executions"
    pipe.get(_KEY + worker)
    pipe.scard(executions)
    pipe.srandmember(executions, MOST)


def read(answers: Iterable[Any]) -> Doing:
    """What a worker told, or what RQ's data tell of one that does not."""
    told, n, executions = answers
    if told is not None:
        at, n, runs = orjson.loads(told)
        return Doing(at, n, tuple((job_id, since) for job_id, since in runs))
    names = sorted(run.decode(errors="replace").partition(":")[0] for run in executions)
    return Doing(None, n, tuple((name, None) for name in names))
