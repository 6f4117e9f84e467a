"""Crawlee for Python, with the quicker of its two parsers; an item for each page goes to its data set."""

import asyncio
import sys

from crawl_meter import Meter
from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext


async def main() -> None:
    settings = ConcurrencySettings(min_concurrency=32, max_concurrency=32, desired_concurrency=32)
    crawler = ParselCrawler(concurrency_settings=settings, configure_logging=False)
    pages = 0

    @crawler.router.default_handler
    async def handle(context: ParselCrawlingContext) -> None:
        nonlocal pages
        pages += 1
        title = context.selector.css("title::text").get()
        await context.push_data({"url": context.request.url, "title": title})
        await context.enqueue_links()

    meter = Meter()
    await crawler.run([sys.argv[-1]])
    meter.tell(pages)


if __name__ == "__main__":
    asyncio.run(main())
