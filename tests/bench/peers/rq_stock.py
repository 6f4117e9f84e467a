"""Stock RQ: `Worker`, which forks for each job, or `SimpleWorker`."""

import os
import sys
import threading
import time

import meter
from redis import Redis
from rq import Queue, SimpleWorker, Worker


def enqueue(queue: Queue) -> None:
    for start in range(0, meter.WANTED, 500):
        n = min(500, meter.WANTED - start)
        queue.enqueue_many([Queue.prepare_data("meter.noop") for _ in range(n)])


def watch(queue: Queue) -> None:
    """For the forking one, whose jobs count in processes of their own."""
    while queue.finished_job_registry.get_job_count(cleanup=False) < 1:
        time.sleep(0.005)
    meter.begin()
    while queue.finished_job_registry.get_job_count(cleanup=False) < meter.WANTED:
        time.sleep(0.02)
    meter.end()


if __name__ == "__main__":
    redis = Redis.from_url(os.environ["REDIS_URL"])
    queue = Queue("bench", connection=redis)
    if sys.argv[1] == "enqueue":
        enqueue(queue)
    elif sys.argv[1] == "fork":
        threading.Thread(target=watch, args=(queue,), daemon=True).start()
        Worker([queue], connection=redis).work(logging_level="WARNING")
    else:
        SimpleWorker([queue], connection=redis).work(logging_level="WARNING")
