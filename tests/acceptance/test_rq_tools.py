"""The stock `rq` command line on a running system."""

from rq.command import send_stop_job_command

from shared.queue import connect
from shared.rqtypes import OrjsonSerializer
from tests.acceptance.system import System
from tests.site import Site, html
from tests.waiting import until

CLASSES = ("--job-class", "shared.rqtypes.CrawlJob", "--queue-class", "shared.rqtypes.CrawlQueue")


def test_suspend_and_resume(system: System, site: Site) -> None:
    system.start()
    system.rq("suspend")
    job_id = system.crawl(f"http://{site.host}", max_pages=5)
    until(lambda: "suspended" in system.rq("info", "--raw"))
    assert system.get("/api/jobs/stats")["data"]["waiting"] == 1
    assert site.requests == []
    system.rq("resume")
    assert system.ended(job_id)["progress"]["completed_tasks"] == 5


def test_requeue_runs_a_failed_page_again(system: System, site: Site) -> None:
    site.pages = {"/": (500, {}, b"broken")}
    system.start()
    job_id = system.crawl(f"http://{site.host}", use_sitemap=False)
    system.ended(job_id)
    (task,) = system.tasks(job_id)
    assert task["status"] == "failed"
    site.pages = {"/": html("mended")}
    system.rq("requeue", "--queue", "crawl", task["id"].replace("-", ""), *CLASSES)
    until(lambda: system.tasks(job_id)[0]["status"] == "completed")
    assert system.ended(job_id)["progress"] == {
        "total_tasks": 1,
        "completed_tasks": 1,
        "failed_tasks": 0,
        "skipped_tasks": 0,
        "percentage": 100.0,
    }


def test_the_stop_command_fails_the_page_it_names(system: System, site: Site) -> None:
    site.pages = {"/": html("slow")}
    site.delay = 3.0
    system.start()
    job_id = system.crawl(f"http://{site.host}", use_sitemap=False)
    until(lambda: "/" in site.paths(), 30)
    task_id = system.tasks(job_id)[0]["id"].replace("-", "")
    with connect(system.redis.url) as redis:
        send_stop_job_command(redis, task_id, serializer=OrjsonSerializer)
    system.ended(job_id)
    (task,) = system.tasks(job_id)
    assert (task["status"], task["error"]) == ("failed", "Stopped: stopped by an operator")


def test_a_stock_rq_worker_runs_the_tasks_too(system: System, site: Site) -> None:
    system.start(workers=0)
    job_id = system.crawl(f"http://{site.host}", max_pages=5)
    for _ in range(8):
        system.rq("worker", "--burst", "discover", "crawl", "--worker-class", "rq.worker.SimpleWorker", *CLASSES)
        if system.job(job_id)["status"] == "completed":
            break
    assert system.job(job_id)["progress"]["completed_tasks"] == 5
