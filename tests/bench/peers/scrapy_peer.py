"""Scrapy: as it comes (`stock`, and `redis` with scrapy-redis), or `tuned`: our parser, uvloop, nothing kept.

The stock ones write an item for each page, to a file of JSON lines or to Redis.
"""

import os
import sys

import scrapy
from crawl_meter import Meter
from scrapy import signals
from scrapy.crawler import CrawlerProcess
from scrapy.linkextractors import LinkExtractor

MODE, START = sys.argv[1], sys.argv[2]
COMMON = {
    "LOG_LEVEL": "ERROR",
    "TELNETCONSOLE_ENABLED": False,
    "ROBOTSTXT_OBEY": False,
    "CONCURRENT_REQUESTS": 32,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
    "DOWNLOAD_DELAY": 0,
}
OWN = {
    "stock": {"FEEDS": {"pages.jsonl": {"format": "jsonlines"}}},
    "tuned": {
        "TWISTED_REACTOR": "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
        "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
        "COOKIES_ENABLED": False,
        "RETRY_ENABLED": False,
        "REDIRECT_ENABLED": False,
        "REFERER_ENABLED": False,
    },
    "redis": {
        "SCHEDULER": "scrapy_redis.scheduler.Scheduler",
        "DUPEFILTER_CLASS": "scrapy_redis.dupefilter.RFPDupeFilter",
        "ITEM_PIPELINES": {"scrapy_redis.pipelines.RedisPipeline": 300},
        "REDIS_URL": os.environ.get("REDIS_URL", ""),
    },
}


class Stock(scrapy.Spider):
    """Follows all links of the site by Scrapy's own link extractor."""

    name = "bench"
    start_urls = [START]
    custom_settings = COMMON | OWN[MODE]
    links = LinkExtractor()
    pages = 0

    @classmethod
    def from_crawler(cls, crawler, *args, **kwargs):
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider.began, signals.spider_opened)
        crawler.signals.connect(spider.ended, signals.spider_closed)
        return spider

    def began(self):
        self.meter = Meter()

    def ended(self):
        self.meter.tell(self.pages)

    def parse(self, response):
        self.pages += 1
        found = self.links.extract_links(response)
        yield {
            "url": response.url,
            "status": response.status,
            "title": response.css("title::text").get(),
            "bytes": len(response.body),
            "links": len(found),
        }
        for link in found:
            yield scrapy.Request(link.url)


class Tuned(Stock):
    """The same with what Crawlyard parses by."""

    def parse(self, response):
        from workers.parse import parse_html

        self.pages += 1
        page = parse_html(response.body, response.url, "text/html")
        for url in page.links:
            yield scrapy.Request(url)


if __name__ == "__main__":
    process = CrawlerProcess()
    process.crawl(Tuned if MODE == "tuned" else Stock)
    process.start()
