"""Functions for RQ jobs in worker tests."""

import threading
import time
from typing import Any

import requests
from redis import Redis
from rq.job import Job, get_current_job

from shared.clock import SECOND, now_us
from workers.results import Later

CALLS: list[Any] = []
#: set to let `wait_until_let_go` return
LET_GO = threading.Event()
STARTED = threading.Event()


def add(a: int, b: int) -> int:
    return a + b


def note(value: Any) -> None:
    CALLS.append(value)


def fail(message: str = "on purpose") -> None:
    raise RuntimeError(message)


def go_on_later(seconds: int) -> Later:
    return Later(now_us() + seconds * SECOND)


def unserializable() -> Any:
    return threading.Lock()


def spin() -> None:
    """Busy for ever, in steps that an exception can end."""
    STARTED.set()
    while True:
        time.sleep(0.01)


def wait_until_let_go() -> str:
    STARTED.set()
    LET_GO.wait(10)
    return "let go"


def own_id() -> str:
    job = get_current_job()
    assert job is not None
    return job.id


def on_success(job: Job, connection: Redis, result: Any) -> None:
    CALLS.append(("success", result))


def on_failure(job: Job, connection: Redis, *error: Any) -> None:
    CALLS.append(("failure", error[0].__name__))


def on_stopped(job: Job, connection: Redis) -> None:
    CALLS.append("stopped")


def go_round_the_guard(url: str) -> int:
    """A request that does not use our client."""
    return requests.get(url, timeout=5).status_code
