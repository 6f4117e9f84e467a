"""A highly available Redis: what is asked of it goes to whoever is the master, and nothing waits for ever."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.root import cli
from shared.errors import CrawlyardError, QueueUnavailable
from shared.queue import TaskQueue, connect
from tests.sentinels import SERVICE, SentinelRedis
from tests.waiting import until

PASSWORD = "sentinel-tests"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelRedis]:
    """A master and a replica that want a password, and three sentinels."""
    made = SentinelRedis(tmp_path_factory.mktemp("sentinels"), PASSWORD)
    yield made
    made.stop()


@pytest.fixture
def group(servers: SentinelRedis) -> SentinelRedis:
    """The servers, whole again after what the test before did to them."""
    servers.start()
    servers.settle()
    return servers


def is_there(queue: TaskQueue) -> bool:
    """Whether Redis answers."""
    try:
        queue.ping()
    except QueueUnavailable:
        return False
    return True


def test_it_works(group: SentinelRedis) -> None:
    with connect(group.url) as link:
        assert link.info("replication")["role"] == "master"


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_a_fail_over_is_followed_by_the_same_client(group: SentinelRedis, how: str) -> None:
    queue, old = TaskQueue(connect(group.url, socket_timeout=2)), group.master
    queue.ping()
    old.process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGSTOP)
    until(lambda: group.master is not old and is_there(queue), 30, "the new master answers")
    assert queue.enqueue_call(f"after-{how}", "workers.tasks.start_crawl", "x")
    assert group.master.info()["role"] == "master"
    old.process.kill()
    old.process.wait()
    group.start()
    group.settle()


def test_a_master_that_is_demoted_is_left(group: SentinelRedis) -> None:
    queue, old = TaskQueue(connect(group.url)), group.master
    queue.ping()
    until(group.switch, 60, "a fail-over that was asked for has begun")
    until(lambda: old.info()["role"] == "slave", 30, "the old master is a replica")
    until(lambda: is_there(queue), 15)
    assert queue.enqueue_call("after-demotion", "workers.tasks.start_crawl", "x")


def test_one_sentinel_is_enough(group: SentinelRedis) -> None:
    port = group.sentinels[2][0]
    TaskQueue(connect(f"sentinel://:{PASSWORD}@127.0.0.1:1,127.0.0.1:{port}/{SERVICE}")).ping()


def test_a_wrong_password_and_an_unknown_master_are_said(group: SentinelRedis) -> None:
    wrong, unknown = group.url.replace(PASSWORD, "wrong"), group.url.replace(SERVICE, "x")
    for url, word in ((wrong, "invalid username-password"), (unknown, "'x'")):
        with pytest.raises(CrawlyardError, match=word):
            TaskQueue(connect(url)).ping()


def test_sentinels_that_never_answer_cost_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        port = hole.getsockname()[1]
        queue = TaskQueue(connect(f"sentinel://127.0.0.1:{port},127.0.0.1:{port}/m"))
        began = time.monotonic()
        with pytest.raises(QueueUnavailable, match="No master"):
            queue.ping()
    assert time.monotonic() - began < 10


def test_doctor_judges_the_master(group: SentinelRedis, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["doctor"], env={"REDIS_URL": group.url, "CRAWLYARD_HOME": str(tmp_path)})
    assert "ok       redis      version" in done.output
    assert PASSWORD not in done.output


def test_stock_rq_tools_find_the_master_as_documented(group: SentinelRedis, tmp_path: Path) -> None:
    text = Path("docs/scaling.md").read_text().partition("```python\n# rqsettings.py\n")[2].partition("```")[0]
    ports = [("127.0.0.1", port) for port, _ in group.sentinels]
    settings = text.replace('[("sentinel-1", 26379), ("sentinel-2", 26379), ("sentinel-3", 26379)]', repr(ports))
    (tmp_path / "rqsettings.py").write_text(settings.replace("the-password", PASSWORD))
    TaskQueue(connect(group.url)).enqueue_call("for-rq-info", "workers.tasks.start_crawl", "x")
    argv = [sys.executable, "-m", "rq.cli", "info", "--raw", "-c", "rqsettings", "-P", str(tmp_path)]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "queue default" in done.stdout, done.stderr
