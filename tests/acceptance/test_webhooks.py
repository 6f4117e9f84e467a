"""Webhooks and live progress through the doors of their users: HTTP and the command line, Procfile processes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.system import KEY, System, kill_group
from tests.receiver import Receiver
from tests.site import Site, linked_site
from tests.waiting import until


@pytest.fixture
def site() -> Iterator[Site]:
    """Thirty pages, one of them missing, 20 ms away."""
    pages = linked_site(30)
    gone = next(path for path in pages if path.startswith("/page"))
    with Site({path: page for path, page in pages.items() if path != gone}, delay=0.02) as made:
        yield made


@pytest.fixture
def system(tmp_path: Path, sqlite_url: str) -> Iterator[System]:
    with System(tmp_path, sqlite_url, CRAWLYARD_ALLOW_PRIVATE="127.0.0.1") as made:
        yield made


def cli(system: System, *args: str) -> Any:
    """The JSON answer of a verb of `crawlyard webhooks`."""
    env = system.env | {"CRAWLYARD_API": system.url(""), "CRAWLYARD_API_KEY": KEY}
    command = [sys.executable, "-m", "api.cli", "webhooks", *args, "--json"]
    done = subprocess.run(command, env=env, cwd=system.home, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["data"]


def hook(receiver: Receiver) -> str:
    return receiver.url("/hook")


def test_the_end_of_a_crawl_is_told_and_repeated_on_request(system: System, site: Site) -> None:
    system.start()
    with Receiver(500) as receiver:
        made = cli(system, "create", hook(receiver), "--event", "job.completed")
        job_id = system.crawl(f"http://{site.host}")
        job = system.ended(job_id)
        until(lambda: len(receiver.received) == 2, 40, "a second attempt")
        first, second = receiver.verified(made["secret"])
        assert first == second
        assert (first["type"], first["data"]["id"]) == ("job.completed", job_id)
        assert first["data"]["completed_tasks"] == job["progress"]["completed_tasks"]
        (delivery,) = until(lambda: cli(system, "deliveries", made["id"], "--status", "delivered"), 10)
        assert (delivery["attempts"], delivery["statusCode"]) == (2, 200)
        cli(system, "redeliver", made["id"], delivery["id"])
        until(lambda: len(receiver.received) == 3, 20)
        assert len({request.headers["webhook-id"] for request in receiver.received}) == 1


def test_the_command_line_makes_tries_rotates_and_deletes(system: System) -> None:
    system.start()
    with Receiver() as receiver:
        made = cli(system, "create", hook(receiver))
        rotated = cli(system, "rotate", made["id"])
        assert cli(system, "test", made["id"])["eventType"] == "webhook.test"
        until(lambda: receiver.received, 20)
        assert receiver.verified(made["secret"], rotated["secret"])[0]["data"] == {"webhook_id": made["id"]}
        assert [webhook["id"] for webhook in cli(system, "list")] == [made["id"]]
        assert cli(system, "delete", made["id"])["id"] == made["id"]
        assert cli(system, "list") == []


def test_a_worker_killed_in_mid_delivery_loses_nothing(system: System) -> None:
    system.start()
    with Receiver() as receiver:
        receiver.delay = 8.0
        made = cli(system, "create", hook(receiver))
        cli(system, "test", made["id"])
        until(lambda: receiver.received, 20)
        kill_group(system.workers[0])
        receiver.delay = 0.0
        system.run("worker")
        until(lambda: cli(system, "deliveries", made["id"], "--status", "delivered"), 60)
        assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
        assert len(receiver.verified(made["secret"])) == 2


def test_a_crawl_is_watched_to_its_end(system: System, site: Site) -> None:
    system.start()
    job_id = system.crawl(f"http://{site.host}", concurrency=2)
    headers = {"Authorization": f"Bearer {KEY}"}
    with requests.get(system.url(f"/v1/jobs/{job_id}/events"), headers=headers, stream=True, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = [line.decode() for line in answer.iter_lines(chunk_size=1)]
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names.count("task") == system.job(job_id)["progress"]["failed_tasks"] == 1
    assert names.count("progress") >= 2
    assert names[-1] == "end"
    last = next(line.removeprefix("id: ") for line in reversed(lines) if line.startswith("id: "))
    again = requests.get(system.url(f"/v1/jobs/{job_id}/events"), headers=headers | {"Last-Event-ID": last}, timeout=30)
    assert again.status_code == 204


def test_an_open_stream_does_not_hold_up_the_end_of_the_api(system: System) -> None:
    with Site({"/": linked_site(1)["/"]}, delay=60) as slow:
        system.start()
        web = system._processes[1]
        job_id = system.crawl(f"http://{slow.host}")
        headers = {"Authorization": f"Bearer {KEY}"}
        with requests.get(system.url(f"/v1/jobs/{job_id}/events"), headers=headers, stream=True, timeout=30) as answer:
            assert next(answer.iter_lines(chunk_size=1)) == b"retry: 2000"
            web.terminate()
            assert web.wait(15) == 0
