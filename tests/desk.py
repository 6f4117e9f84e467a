"""One organisation's API, the worker that runs its refreshes of page views, and a Google of our own."""

from pathlib import Path
from typing import Any

from shared.queue import TaskQueue
from shared.rqtypes import CrawlJob, CrawlQueue
from tests.api_kit import Api
from tests.ga4 import PROPERTY, Ga4
from workers import runtime, tasks

KEY = "a-secret-key-of-the-tests-0123456789"
VIEWS = ("page_views_7d", "page_views_28d", "page_views_180d")


class Desk:
    """Opens all three; its domain is example.com."""

    def __init__(self, google: Ga4, store_url: str, queue: TaskQueue, redis_url: str, home: Path, **env: str) -> None:
        self.google = google
        given = {
            "CRAWLYARD_HOME": str(home),
            "DATABASE_URL": store_url,
            "REDIS_URL": redis_url,
            "CRAWLYARD_SECRET_KEY": KEY,
            "CRAWLYARD_ALLOW_PRIVATE": google.host,
            "CRAWLYARD_GA4_ENDPOINT": google.url,
        }
        self.api = Api(store_url, queue, **given | env)
        self.jobs = CrawlQueue("default", connection=queue.redis)
        self.ctx = runtime.build(self.api.settings)
        runtime.install(self.ctx)
        self.api.submit()

    def close(self) -> None:
        self.ctx.close()
        self.api.store.close()

    @property
    def path(self) -> str:
        return f"/api/domains/{self.api.get('/api/domains')['data'][0]['id']}/analytics"

    def connect(self, **key: Any) -> Any:
        """Connects the domain to the property, by HTTP."""
        body = {"propertyId": PROPERTY, "serviceAccount": self.google.key_file | key}
        answer = self.api.call("PUT", self.path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json["data"]

    def work(self) -> list[Any]:
        """Runs the queued refreshes as a worker does; what they returned."""
        done = []
        while ids := self.jobs.job_ids:
            self.jobs.remove(ids[0])
            job = CrawlJob.fetch(ids[0], connection=self.jobs.connection)
            done.append(tasks.refresh_analytics(*job.args))
        return done

    def shown(self) -> Any:
        return self.api.get(self.path)["data"]

    def views(self, uid: str) -> dict[str, list[int | None]]:
        """The three columns of a job's tasks by path."""
        found = self.api.get(f"/v1/jobs/{uid}/tasks")["tasks"]
        return {task["path"]: [task[name] for name in VIEWS] for task in found}

    def crawl(self, *paths: str) -> str:
        """A crawl that has ended."""
        uid = self.api.crawl(list(paths))
        for seq in range(len(paths)):
            self.api.finish(uid, seq + 2)
        return uid
