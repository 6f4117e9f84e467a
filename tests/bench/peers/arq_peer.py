"""arq, fifty jobs at once."""

import asyncio
import os
import sys

import meter
from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker

SETTINGS = RedisSettings.from_dsn(os.environ["REDIS_URL"])


async def enqueue() -> None:
    pool = await create_pool(SETTINGS)
    for _ in range(meter.WANTED):
        await pool.enqueue_job("noop_async")


if __name__ == "__main__":
    if sys.argv[1] == "enqueue":
        asyncio.run(enqueue())
    else:
        asyncio.set_event_loop(asyncio.new_event_loop())
        Worker([func(meter.noop_async, name="noop_async")], redis_settings=SETTINGS, max_jobs=50, poll_delay=0.01).run()
