"""Errors and traces reach the collectors that the operator names."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import brotli
import pytest

from tests.acceptance.system import ROOT, System
from tests.site import Site
from tests.waiting import until

FAILING = """
import logging, os
from shared import logs, telemetry
from shared.settings import Settings
logs.configure("INFO", "worker")
telemetry.start(Settings.from_env(), "worker")
secret = "cy_do_not_send_this"
try:
    raise ValueError("it broke")
except ValueError:
    logging.getLogger("workers").exception("the task broke")
"""


DECODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "br": brotli.decompress}


class Collector(ThreadingHTTPServer):
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[tuple[str, bytes]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def holds(self, path: str, text: bytes) -> bool:
        return any(text in body for at, body in self.bodies if at.startswith(path))


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = DECODERS.get(self.headers.get("Content-Encoding", ""), bytes)(body)
        self.server.bodies.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_calls_and_tasks_are_traced(system: System, site: Site, collector: Collector) -> None:
    system.env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.address}", "OTEL_BSP_SCHEDULE_DELAY": "200"}
    system.start()
    job_id = system.crawl(f"http://{site.host}", max_pages=3)
    system.ended(job_id)
    until(lambda: collector.holds("/v1/traces", b"POST /v1/jobs"), 20, "no span of the API")
    until(lambda: collector.holds("/v1/traces", b"job in crawl"), 20, "no span of a task")
    assert collector.holds("/v1/traces", job_id.encode())


def test_errors_reach_sentry_without_local_variables(collector: Collector, system: System) -> None:
    env = system.env | {"SENTRY_DSN": f"http://key@{collector.address}/1"}
    subprocess.run([sys.executable, "-c", FAILING], env=env, cwd=ROOT, check=True, timeout=60, capture_output=True)
    assert collector.holds("/api/1/envelope", b"it broke")
    assert not collector.holds("/api/1/envelope", b"cy_do_not_send_this")


@pytest.mark.parametrize(
    ("name", "extra"), [("SENTRY_DSN", "sentry_sdk"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry")]
)
def test_a_missing_extra_is_named_in_one_line(system: System, name: str, extra: str) -> None:
    system.env |= {name: "http://key@127.0.0.1:9/1"}
    hidden = system.home / "hidden"
    hidden.mkdir()
    (hidden / f"{extra}.py").write_text("raise ImportError('not installed')")
    process = system.run("scheduler", PYTHONPATH=f"{hidden}:{ROOT}")
    assert process.wait(30) == 2
    assert f"{name} needs the extra: pip install" in system.log("scheduler")
