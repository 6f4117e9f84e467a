"""One thing of each kind that an organisation owns, for tests that walk every door with another one's key."""

from dataclasses import dataclass

from tests.api_kit import Api


@dataclass(frozen=True, slots=True)
class Owned:
    """Their ids."""

    job: str
    task: str
    domain: str
    page: str
    change: str
    schedule: str
    webhook: str
    delivery: str


def owned_by_acme(api: Api) -> Owned:
    """Two crawls of a page that changed in between, a webhook with a delivery, a schedule."""
    api.see(api.crawl(["/"]), 2, "before")
    job = api.crawl(["/", "/other"])
    api.see(job, 2, "after")
    task = api.get(f"/v1/jobs/{job}/tasks")["tasks"][0]["id"]
    queue_job = api.get(f"/api/jobs/{task}")["data"]
    hook = api.post("/api/webhooks", {"url": "https://192.31.196.7/", "events": ["job.failed"]}, 201)["data"]["id"]
    when = {"domainId": queue_job["domainId"], "cron": "0 0 * * *"}
    return Owned(
        job=job,
        task=task,
        domain=queue_job["domainId"],
        page=queue_job["pageId"],
        change=api.get("/api/changes")["data"][0]["id"],
        schedule=api.post("/api/schedules", when, 201)["data"]["id"],
        webhook=hook,
        delivery=api.post(f"/api/webhooks/{hook}/test", {}, 202)["data"]["id"],
    )
