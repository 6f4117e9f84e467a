"""`make bench ARGS="tls"`: what a page over TLS costs our fetcher, and `requests` as it comes."""

import argparse
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests

from shared.settings import FetchLimits
from tests.bench import gauge, sites
from workers.egress import EgressPolicy
from workers.fetch import Fetcher


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    cert, key = folder / "bench-cert.pem", folder / "bench-key.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)
    subprocess.run([*made, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def cpu_us(get: Callable[[], object], n: int, rounds: int) -> float:
    """Microseconds of CPU a call, the best of some rounds."""
    get()
    best = float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        for _ in range(n):
            get()
        best = min(best, (time.thread_time() - began) / n * 1e6)
    return best


def measure(cache: Path, n: int, rounds: int) -> dict[str, tuple[float, float]]:
    """By kind of connection: ours and that of `requests`."""
    with tempfile.TemporaryDirectory() as folder:
        files = certificate(Path(folder))
        with sites.nginx(cache, 100, files) as host:
            url, trust = f"https://{host}/p7.html", ssl.create_default_context(cafile=str(files[0]))
            policy = EgressPolicy((host,))
            kept = Fetcher(FetchLimits(), policy, "bench", tls=trust)
            fresh = Fetcher(FetchLimits(), policy, "bench", tls=trust, keep_alive=False)
            session = requests.Session()
            found = {
                "keep-alive": (
                    cpu_us(lambda: kept.get(url), n, rounds),
                    cpu_us(lambda: session.get(url, verify=str(files[0])).content, n, rounds),
                ),
                "new connections": (
                    cpu_us(lambda: fresh.get(url), n // 4, rounds),
                    cpu_us(lambda: requests.get(url, verify=str(files[0])).content, n // 4, rounds),
                ),
            }
            for client in (kept, fresh, session):
                client.close()
    return found


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tls")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crawlyard-bench")
    given = parser.parse_args()
    found = measure(given.cache, given.requests, given.rounds)
    rows = [[kind, ours, theirs, theirs / ours] for kind, (ours, theirs) in found.items()]
    gauge.table("A page of 11 kB over TLS, µs of CPU", ["connections", "ours", "requests", "theirs / ours"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
