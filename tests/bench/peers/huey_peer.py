"""Huey, fifty threads."""

import os
import sys

import meter
from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["REDIS_URL"])
noop = huey.task()(meter.noop)

if __name__ == "__main__":
    if sys.argv[1] == "enqueue":
        for _ in range(meter.WANTED):
            noop()
    else:
        huey.create_consumer(workers=50, worker_type="thread", periodic=False).run()
