"""Celery, fifty threads."""

import os
import sys

import meter
from celery import Celery

app = Celery("bench", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.update(worker_prefetch_multiplier=4, task_ignore_result=False)
noop = app.task(name="noop")(meter.noop)

if __name__ == "__main__":
    if sys.argv[1] == "enqueue":
        with app.producer_pool.acquire(block=True) as producer:
            for _ in range(meter.WANTED):
                noop.apply_async(producer=producer)
    else:
        options = ["--pool=threads", "--concurrency=50", "--loglevel=ERROR", "--without-gossip", "--without-mingle"]
        app.worker_main(["worker", *options])
