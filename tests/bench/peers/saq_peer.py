"""SAQ, fifty jobs at once."""

import asyncio
import os
import sys

import meter
from saq import Queue, Worker

queue = Queue.from_url(os.environ["REDIS_URL"])


async def noop(_context: object) -> int:
    return meter.noop()


async def enqueue() -> None:
    await queue.connect()
    for _ in range(meter.WANTED):
        await queue.enqueue("noop")


async def work() -> None:
    await Worker(queue, functions=[noop], concurrency=50).start()


if __name__ == "__main__":
    asyncio.run(enqueue() if sys.argv[1] == "enqueue" else work())
