"""Our worker, fifty threads, on one CPU as `python -m workers` keeps them, on jobs of the default queue."""

import os
import sys

import meter
from redis import Redis
from rq import Queue

from shared.affinity import Affinity
from shared.queue import DEFAULT_QUEUE, connect
from shared.rqtypes import CrawlQueue
from workers.worker import ConcurrentWorker


def enqueue(redis: Redis) -> None:
    queue = CrawlQueue(DEFAULT_QUEUE, connection=redis)
    for start in range(0, meter.WANTED, 500):
        n = min(500, meter.WANTED - start)
        queue.enqueue_many([Queue.prepare_data("meter.noop") for _ in range(n)])


if __name__ == "__main__":
    redis = connect(os.environ["REDIS_URL"])
    if sys.argv[1] == "enqueue":
        enqueue(redis)
    else:
        Affinity().start()
        ConcurrentWorker(redis, threads=50, queues=(DEFAULT_QUEUE,)).work()
