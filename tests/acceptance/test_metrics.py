"""What an operator watches: metrics and logs of running processes."""

import json
import os
import signal
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.system import System
from tests.site import Site
from tests.waiting import until


def samples(system: System) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(system.call("GET", "/metrics").text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_a_crawl_shows_in_the_metrics_of_all_processes(system: System, site: Site) -> None:
    system.start(workers=2)
    system.ended(system.crawl(f"http://{site.host}"))
    done = ("crawlyard_tasks_total", "crawl.page", "completed")
    until(lambda: samples(system).get(done) == 200, 20, "the workers have not told what they did")
    found = samples(system)
    assert found["crawlyard_tasks_total", "discover.pages", "completed"] == 1
    assert found["crawlyard_fetch_duration_seconds_count",] == 200
    # an outcome each, and admissions of those that no commit handed to its worker
    assert found["crawlyard_commit_items_total",] > 201
    assert found["crawlyard_workers", "idle"] == 2
    step = ("crawlyard_scheduler_steps_total", "done", "due")  # label values in the order of their names
    until(lambda: samples(system).get(step, 0) > 0, 20, "the scheduler has told nothing")


def logged(system: System, name: str) -> list[dict[str, Any]]:
    """What a process has logged: each line is an object."""
    return [json.loads(line) for line in system.log(name).splitlines()]


def test_json_logs_name_task_and_job(system: System, site: Site) -> None:
    more = {"LOG_FORMAT": "JSON", "CRAWLYARD_ACCESS_LOG": "1", "LOG_LEVEL": "DEBUG", "WORKER_PROCESSES": "2"}
    system.env |= more
    system.start()
    job_id = system.crawl(f"http://{site.host}", max_pages=3)
    system.ended(job_id)
    (created,) = [line for line in logged(system, "web") if line.get("route") == "/v1/jobs"]
    assert created["request_id"]
    assert (created["method"], created["status"]) == ("POST", 201)
    assert any("Booting worker" in line["message"] for line in logged(system, "web"))
    told = [line for line in logged(system, "worker") if line.get("job_id") == job_id and line.get("task_id")]
    assert logged(system, "scheduler")
    os.kill(told[0]["pid"], signal.SIGKILL)
    until(lambda: any("starting it again" in line["message"] for line in logged(system, "worker")), 20)
