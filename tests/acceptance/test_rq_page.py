"""RQ's own dashboard in a real browser: what jobs, workers and URLs say is shown, and never run."""

import pytest
from playwright.sync_api import expect
from rq.job import JobStatus
from rq.results import Result

from shared.queue import connect
from shared.rqtypes import CrawlJob, CrawlQueue
from tests.acceptance.chromium import PATIENCE, Tab
from tests.acceptance.system import System

SCRIPT = "</script><script>document.title='owned'</script>"
HOSTILE = f"{SCRIPT}<img src=x onerror=\"document.title='owned'\"><svg onload=document.title='owned'><%= 1 %>"
#: as far as a page says of itself what runs on it
SHOWN = "<script>document.title='owned'</script>"

expect.set_options(timeout=PATIENCE)


def hostile_job(system: System, is_failed: bool) -> CrawlJob:
    """A job that ended, with markup wherever text may stand."""
    redis = connect(system.redis.url)
    queue = CrawlQueue("crawl", connection=redis)
    job = CrawlJob.create("workers.tasks.crawl_page", args=[HOSTILE], connection=redis, description=HOSTILE)
    job.origin, job._status = "crawl", JobStatus.FAILED if is_failed else JobStatus.FINISHED
    job.meta = {HOSTILE: [{"deep": HOSTILE}]}
    job.save()
    if is_failed:
        queue.failed_job_registry.add(job, ttl=60)
        Result.create_failure(job, 60, exc_string=HOSTILE)
    else:
        queue.finished_job_registry.add(job, ttl=60)
        Result.create(job, Result.Type.SUCCESSFUL, 60, return_value={HOSTILE: [HOSTILE, {"deep": [HOSTILE]}]})
    return job


def test_what_a_job_says_is_text_on_its_page(tab: Tab, system: System) -> None:
    tab.sign_in("/rq/")
    for is_failed in (True, False):
        page = tab.go(f"/rq/0/view/job/{hostile_job(system, is_failed).id}")
        expect(page.locator("#job-data")).to_contain_text(SHOWN)
        assert page.locator("#job-data").inner_text().count(SHOWN) >= (4 if is_failed else 6)
        assert page.locator("#job-data img, #job-data svg, #job-data script").count() == 0
        assert page.title() == "RQ dashboard"


def test_what_jobs_say_is_text_in_their_lists(tab: Tab, system: System) -> None:
    hostile_job(system, True)
    tab.sign_in("/rq/")
    page = tab.go("/rq/0/view/jobs/crawl/failed/8/asc/1")
    expect(page.locator("#jobs tbody")).to_contain_text(SHOWN)
    assert page.locator("#jobs img, #jobs svg, #jobs script").count() == 0
    assert page.title() == "RQ dashboard"


@pytest.mark.parametrize("name", ["');document.title='owned';//", HOSTILE.replace("/", "")])
def test_a_url_puts_nothing_into_a_script(tab: Tab, name: str) -> None:
    tab.sign_in("/rq/")
    page = tab.go(f"/rq/0/view/jobs/{name.replace('%', '%25')}/queued/8/asc/1")
    expect(page.locator("h1")).to_have_text("Not found")
    # the browser tells of the 404 in its console
    tab.complaints.clear()
