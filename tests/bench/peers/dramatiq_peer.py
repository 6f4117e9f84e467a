"""Dramatiq, fifty threads in one process, with stored results as the others have them."""

import os
import signal
import sys

import dramatiq
import meter
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

broker = RedisBroker(url=os.environ["REDIS_URL"])
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["REDIS_URL"])))
dramatiq.set_broker(broker)
noop = dramatiq.actor(store_results=True, actor_name="noop")(meter.noop)

if __name__ == "__main__":
    if sys.argv[1] == "enqueue":
        for _ in range(meter.WANTED):
            noop.send()
    else:
        worker = dramatiq.Worker(broker, worker_threads=50)
        worker.start()
        signal.pause()
