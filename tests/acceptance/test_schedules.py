"""Recurring crawls through HTTP and the command line, with the processes as the Procfile starts them."""

import json
import os
import signal
import subprocess
from datetime import datetime
from typing import Any

from sqlalchemy import update

from shared import timetable
from shared.clock import SECOND, now_us
from shared.models import Due
from shared.queue import SCHEDULER_KEY, TaskQueue, connect
from shared.store import open_store
from shared.store.schedule_tables import schedules
from tests.acceptance.system import KEY, System, kill_group, procfile
from tests.site import Site
from tests.waiting import until


def create(system: System, site: Site, **wishes: Any) -> Any:
    body = {"domain": f"http://{site.host}", "intervalHours": 1, "options": {"max_pages": 2}} | wishes
    answer = system.call("POST", "/api/schedules", json={n: v for n, v in body.items() if v is not None})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def show(system: System, uid: str) -> Any:
    return system.get(f"/api/schedules/{uid}")["data"]


def jobs_of(system: System) -> list[Any]:
    found: list[Any] = system.get("/v1/jobs?limit=100")["jobs"]
    return found


def due_in(system: System, uids: list[str], seconds: float) -> int:
    """Moves the next runs to one moment near by, in SQL and in the timetable."""
    store, redis = open_store(system.env["DATABASE_URL"]), connect(system.redis.url)
    due = (now_us() // SECOND) * SECOND + int(seconds * SECOND)
    which = update(schedules).where(schedules.c.uid.in_(uids)).values(next_run_at=due, fire_at=due)
    store.write(lambda conn: conn.execute(which))
    timetable.write(TaskQueue(redis), [Due(uid, due, due) for uid in uids])
    store.close()
    redis.close()
    return due


def seconds_late(started_at: str, due: int) -> float:
    return datetime.fromisoformat(started_at).timestamp() - due / SECOND


def test_a_due_run_starts_within_two_seconds_and_crawls(system: System, site: Site) -> None:
    system.start()
    uid = create(system, site, cron="* * * * *", intervalHours=None, timezone="Europe/Berlin")["id"]
    due = due_in(system, [uid], 2)
    ran = until(lambda: (found := show(system, uid))["lastJobId"] and found, 15)
    job = system.ended(ran["lastJobId"])
    assert 0 <= seconds_late(job["created_at"], due) <= 2
    assert (job["source_type"], job["source_detail"]) == ("scheduler", "recurring")
    assert (job["status"], job["progress"]["completed_tasks"]) == ("completed", 2)
    assert (ran["lastRunStatus"], len(ran["nextRuns"])) == ("started", 5)


def test_rq_scheduler_and_a_worker_start_a_run(system: System, site: Site) -> None:
    system.start()
    uid = create(system, site)["id"]
    due = due_in(system, [uid], 2)
    name = timetable.entry(Due(uid, due, due))
    with connect(system.redis.url) as redis:
        until(lambda: redis.zscore("rq:finished:default", name), 15, "the worker has not run it")
        assert redis.zscore(SCHEDULER_KEY, name) is None
    assert len(jobs_of(system)) == 1


def test_a_scheduler_that_starts_fills_a_wiped_redis(system: System, site: Site) -> None:
    system.start(workers=0)
    create(system, site)
    with connect(system.redis.url) as redis:
        known = redis.zrange(SCHEDULER_KEY, 0, -1, withscores=True)
        redis.flushall()
        system.run("scheduler")
        until(lambda: redis.zrange(SCHEDULER_KEY, 0, -1, withscores=True) == known != [], 20)


def test_a_scheduler_killed_and_redis_wiped_at_the_due_time_lose_and_double_nothing(system: System, site: Site) -> None:
    system.start()
    second = system.run("scheduler")
    uids = [create(system, site)["id"] for _ in range(5)]
    due = due_in(system, uids, 2)
    kill_group(second)
    with connect(system.redis.url) as redis:
        until(lambda: now_us() > due - SECOND // 5)
        redis.flushall()
        # the killed one held the lock
        redis.set("rq:scheduler_lock", "of the dead", ex=5)
    until(lambda: all(show(system, uid)["lastJobId"] for uid in uids), 10)
    assert now_us() - due < 10 * SECOND
    for job in jobs_of(system):
        system.ended(job["id"])
    assert len(jobs_of(system)) == len(uids)
    assert len({show(system, uid)["lastJobId"] for uid in uids}) == len(uids)


def test_runs_start_without_a_worker_and_without_redis(system: System, site: Site) -> None:
    system.start(workers=0)
    uid = create(system, site)["id"]
    due = due_in(system, [uid], 1)
    system.redis.process.kill()
    until(lambda: show(system, uid)["lastJobId"], 15)
    (job,) = jobs_of(system)
    assert seconds_late(job["created_at"], due) < 10


def test_a_redis_that_hangs_makes_no_run_late(system: System, site: Site) -> None:
    system.start(workers=0)
    uids = [create(system, site, missed="none")["id"] for _ in range(4)]
    due = due_in(system, uids, 2)
    os.kill(system.redis.process.pid, signal.SIGSTOP)
    try:
        until(lambda: all(show(system, uid)["lastRunAt"] for uid in uids), 40)
    finally:
        os.kill(system.redis.process.pid, signal.SIGCONT)
    assert [seconds_late(job["created_at"], due) < 10 for job in jobs_of(system)] == [True] * 4


def cli(system: System, *arguments: str, expect: int = 0) -> str:
    command = [*procfile()["web"][:3], "schedules", *arguments]
    env = system.env | {"CRAWLYARD_API": system.url(""), "CRAWLYARD_API_KEY": KEY}
    done = subprocess.run(command, env=env, cwd=system.home, capture_output=True, text=True, timeout=60)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout if expect == 0 else done.stderr


def test_the_command_line_manages_schedules(system: System, site: Site) -> None:
    system.start(workers=0)
    options = ("--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--overlap", "cancel", "--max-pages", "5")
    made = json.loads(
        cli(system, "create", f"http://{site.host}", *options, "--options", '{"find_links": false}', "--json")
    )
    uid = made["data"]["id"]
    assert made["data"]["options"] == {"find_links": False, "max_pages": 5}
    assert "30 2 * * * (Europe/Berlin)" in cli(system, "list")
    assert "paused" in cli(system, "pause", uid)
    assert "paused" not in cli(system, "resume", uid)
    assert "started" in cli(system, "run", uid)
    assert cli(system, "show", uid).count("T02:30:00+") >= 4
    cli(system, "delete", uid)
    assert cli(system, "list") == "No schedules.\n"
    assert "cron: is no cron expression" in cli(system, "create", "a.test", "--cron", "0 0 30 2 *", expect=2)
    assert "not found" in cli(system, "show", uid, expect=1)
