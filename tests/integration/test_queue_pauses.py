"""Paused queues are on record: a Redis that forgets them learns of them again."""

import pytest

from scheduler.loop import steps
from shared import queue_ops
from shared.errors import QueueUnavailable
from shared.ports import free_port
from shared.queue import PAUSED_KEY, TaskQueue, connect
from shared.store import Store, pauses


@pytest.fixture
def queue(redis_url: str) -> TaskQueue:
    return TaskQueue(connect(redis_url))


def look(store: Store, queue: TaskQueue) -> None:
    """The scheduler's step."""
    next(step for step in steps(store, queue) if step.name == "pauses").run()


def test_a_paused_queue_survives_the_loss_of_redis(store: Store, queue: TaskQueue) -> None:
    queue_ops.pause(store, queue, "crawl")
    queue.redis.flushall()
    look(store, queue)
    assert queue.redis.smembers(PAUSED_KEY) == {b"crawl"}


def test_a_queue_that_was_resumed_stays_so(store: Store, queue: TaskQueue) -> None:
    queue_ops.pause(store, queue, "crawl")
    queue_ops.resume(store, queue, "crawl")
    queue.redis.sadd(PAUSED_KEY, "crawl")  # what an old copy of Redis' file would bring back
    look(store, queue)
    assert not queue.redis.exists(PAUSED_KEY)


def test_while_redis_is_away_nothing_is_recorded(store: Store) -> None:
    away = TaskQueue(connect(f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(QueueUnavailable):
        queue_ops.pause(store, away, "crawl")
    assert pauses.queues(store) == set()
