"""Scrapy: as it comes, writing what we keep of each page (`stock`); `lean`; `redis` with scrapy-redis; or `tuned`.

Stock changes no setting but the feed's, so it logs each request and item (LOG_LEVEL=DEBUG is Scrapy's default).
Lean is: no log, and five short fields of each page, to a file of JSON lines; to Redis with scrapy-redis. Tuned: our
parser, uvloop, nothing kept.
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
FEED = {"FEEDS": {"pages.jsonl": {"format": "jsonlines"}}}
OWN = {
    "lean": FEED,
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


class Lean(scrapy.Spider):
    """Follows all links of the site by Scrapy's own link extractor."""

    name = "bench"
    start_urls = [START]
    custom_settings = FEED if MODE == "stock" else COMMON | OWN[MODE]
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
        yield self.item(response, found)
        for link in found:
            yield scrapy.Request(link.url)

    def item(self, response, found):
        return {
            "url": response.url,
            "status": response.status,
            "title": response.css("title::text").get(),
            "bytes": len(response.body),
            "links": len(found),
        }


class Stock(Lean):
    """Keeps what we keep of a page."""

    def item(self, response, found):
        visible = response.xpath("//body//text()[not(parent::script or parent::style)]").getall()
        return super().item(response, found) | {
            "links": [link.url for link in found],
            "headers": dict(response.headers.to_unicode_dict()),
            "description": response.css("meta[name=description]::attr(content)").get(),
            "canonical": response.css("link[rel=canonical]::attr(href)").get(),
            "headings": response.css("h1::text, h2::text, h3::text, h4::text, h5::text, h6::text").getall(),
            "text": "\n".join(filter(None, map(str.strip, visible))),
        }


class Tuned(Lean):
    """The same with what Crawlyard parses by."""

    def parse(self, response):
        from workers.parse import parse_html

        self.pages += 1
        page = parse_html(response.body, response.url, "text/html")
        for url in page.links:
            yield scrapy.Request(url)


if __name__ == "__main__":
    process = CrawlerProcess()
    process.crawl({"stock": Stock, "tuned": Tuned}.get(MODE, Lean))
    process.start()
