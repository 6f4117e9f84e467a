"""What each trap costs, measured in a child process that holds nothing but the crawl engine.

`python -m tests.hostile.probe` reads one JSON list of probes from standard input, writes a line of JSON for each.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from shared.settings import FetchLimits
from workers.egress import EgressPolicy
from workers.errors import FetchError
from workers.fetch import Fetcher
from workers.parse import is_html, parse_html
from workers.robots_cache import RobotsCache
from workers.sitemap import SitemapReader

ROOT = Path(__file__).parents[2]
LIMITS = FetchLimits(connect=1.0, first_byte=1.0, total=1.5, body=10_000_000, decoded=20_000_000)
_PATHS = [f"/{'a' * 200}/{i}" for i in range(100)]
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to try: `kind` is page, robots or sitemap."""

    kind: str
    name: str
    #: of the page, or of the host
    url: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What came of a probe. Times in seconds, memory in MB of the whole process at its peak."""

    kind: str
    name: str
    #: what the record would say; None where nothing went wrong
    error: str | None
    #: links, or URLs of the sitemap
    found: int
    wall: float
    cpu: float
    memory: int


def measure(probes: Sequence[Probe], timeout: float = 300) -> list[Cost]:
    """Runs the probes in one child. Raises CalledProcessError when it dies, TimeoutExpired."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.probe"],
        input=json.dumps([asdict(p) for p in probes]),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=timeout,
    )
    return [Cost(**json.loads(line)) for line in done.stdout.splitlines()]


def main() -> None:
    """The child."""
    probes = [Probe(**p) for p in json.load(sys.stdin)]
    hosts = {urlsplit(probe.url).netloc for probe in probes}
    fetcher = Fetcher(LIMITS, EgressPolicy(tuple(hosts)), "Crawlyard/probe")
    for probe in probes:
        print(json.dumps(asdict(_measured(fetcher, probe))), flush=True)


def _measured(fetcher: Fetcher, probe: Probe) -> Cost:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    started, cpu = time.monotonic(), time.process_time()
    error, found = _TRY[probe.kind](fetcher, probe.url)
    spent = (time.monotonic() - started, time.process_time() - cpu)
    return Cost(probe.kind, probe.name, error, found, *(round(s, 3) for s in spent), memory=_peak())


def _page(fetcher: Fetcher, url: str) -> tuple[str | None, int]:
    try:
        response = fetcher.get(url)
    except FetchError as error:
        return error.message, 0
    if not is_html(response.content_type, response.body):
        return None, 0
    return None, len(parse_html(response.body, response.url, response.content_type).links)


def _robots(fetcher: Fetcher, origin: str) -> tuple[str | None, int]:
    try:
        rules = RobotsCache(fetcher, "Crawlyard/probe").rules(origin)
    except FetchError as error:
        return error.message, 0
    return None, sum(rules.allows(origin + path) for path in _PATHS)


def _sitemap(fetcher: Fetcher, origin: str) -> tuple[str | None, int]:
    reader = SitemapReader(fetcher)
    found = sum(1 for _ in reader.urls([f"{origin}/sitemap.xml"]))
    return (reader.problems[-1] if reader.problems else None), found


def _peak() -> int:
    match = _PEAK.search(Path("/proc/self/status").read_text())
    return int(match[1]) // 1024 if match else 0


_TRY: dict[str, Callable[[Fetcher, str], tuple[str | None, int]]] = {
    "page": _page,
    "robots": _robots,
    "sitemap": _sitemap,
}


if __name__ == "__main__":
    main()
