"""No client of the API waits for a dependency for long, and none before the API is there."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from api import create_app
from shared.errors import StoreUnavailable
from shared.ports import free_port
from shared.store import Store, open_store
from tests.api_kit import Api
from tests.postgres import PostgresServer
from tests.waiting import until

_SLOW = """
import os, time
from types import SimpleNamespace
from flask import Flask
def make_app():
    open({begun!r}, "w").close()
    while not os.path.exists({go!r}):
        time.sleep(0.02)
    app = Flask("slow")
    settings = SimpleNamespace(sentry_dsn=None, otlp_endpoint=None, one_cpu=True)
    app.extensions["crawlyard"] = SimpleNamespace(settings=settings, streams=SimpleNamespace())
    app.add_url_rule("/", view_func=lambda: "here")
    return app
"""


@pytest.fixture
def hasty(postgres_url: str) -> Iterator[Store]:
    """A store as the API has it, but that waits a second for a statement."""
    store = open_store(postgres_url, pool_size=2, spare=0, patience=1.0, rested=0.0)
    yield store
    store.close()


def seconds_of(call: Any) -> float:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        call()
    return time.monotonic() - began


def asked(store: Store, query: str) -> Any:
    with store.read() as conn:
        return conn.execute(text(query)).scalar()


def test_a_statement_that_takes_too_long_is_ended_by_the_database(hasty: Store) -> None:
    assert seconds_of(lambda: asked(hasty, "SELECT pg_sleep(60)")) < 20
    assert asked(hasty, "SELECT 1") == 1


def test_a_connection_that_is_frozen_is_given_up_for_another(hasty: Store) -> None:
    pid = asked(hasty, "SELECT pg_backend_pid()")
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert asked(hasty, "SELECT pg_backend_pid()") != pid
        assert time.monotonic() - began < 20
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_database_that_freezes_in_a_statement_is_not_waited_for(hasty: Store) -> None:
    with hasty.read() as conn:
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(OperationalError):
                conn.execute(text("SELECT 1"))
        finally:
            os.kill(pid, signal.SIGCONT)


def test_the_connections_of_a_hasty_store_are_bounded(hasty: Store) -> None:
    with hasty.read() as one, hasty.read() as other:
        assert [one.scalar(text("SELECT 1")), other.scalar(text("SELECT 1"))] == [1, 1]
        assert seconds_of(hasty.ping) < 20


def test_a_write_waits_for_a_lock_no_longer_than_twice_its_turn(store_url: str) -> None:
    turn = 0.5
    holder, store = open_store(store_url), open_store(store_url, turn=turn)
    began, seconds = threading.Event(), list[float]()

    def hold(conn: Connection) -> None:
        conn.execute(text("UPDATE deltas SET id = id"))
        if not store.is_sqlite:
            conn.execute(text("LOCK TABLE deltas"))
        began.set()
        until(lambda: seconds, 30)

    thread = threading.Thread(target=holder.write, args=(hold,))
    thread.start()
    began.wait(30)
    try:
        seconds.append(seconds_of(lambda: store.write(lambda conn: conn.execute(text("UPDATE deltas SET id = id")))))
    finally:
        seconds.append(0.0)
        thread.join(30)
    assert turn <= seconds[0] < 2 * turn + 5
    store.close()
    holder.close()


def test_a_write_to_a_frozen_database_is_a_503_in_time(postgres_server: PostgresServer, postgres_url: str) -> None:
    api = Api(postgres_url)
    store = open_store(postgres_url, pool_size=2, spare=0, patience=1.0, turn=1.0, rested=0.0)
    client = create_app(api.settings, store, api.queue).test_client()

    def submit() -> Any:
        headers = {"Authorization": f"Bearer {api.secret}"}
        return client.post("/v1/jobs", json={"domain": "example.com"}, headers=headers)

    assert submit().status_code == 201
    with postgres_server.frozen():
        began = time.monotonic()
        answer = submit()
        # a look at the connection, another connection: what both may take, and a machine that is busy
        assert time.monotonic() - began < 20
    assert (answer.status_code, answer.json["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    assert submit().status_code == 201
    store.close()


def test_the_address_is_not_taken_before_the_application_is_there(tmp_path: Path) -> None:
    begun, go, port = tmp_path / "begun", tmp_path / "go", free_port()
    (tmp_path / "slow.py").write_text(_SLOW.format(begun=str(begun), go=str(go)))
    argv = [sys.executable, "-m", "gunicorn", "--config", "python:api.gunicorn_conf", "--no-control-socket"]
    argv += ["--bind", f"127.0.0.1:{port}", "slow:make_app()"]
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}
    server = subprocess.Popen(argv, env=env, stderr=subprocess.DEVNULL)
    try:
        until(begun.exists, 60, "gunicorn makes the application")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
        go.touch()
        until(lambda: _answers(port), 60, "it answers")
    finally:
        server.terminate()
        assert server.wait(30) == 0


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=10).text == "here"
    except requests.ConnectionError:
        return False
