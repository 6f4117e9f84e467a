"""`crawlyard report --html`: one file that needs nothing else, whatever was crawled."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.cli.root import cli
from api.cli.survey import MOST, leading, survey
from tests.pretended import Pretended, name

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'\x1b[2J\u202e"
LOADING = {"script", "img", "link", "iframe", "object", "embed", "form", "base", "video", "audio"}


def task(n: int, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "url": f"https://x/{n}",
        "status": "completed",
        "status_code": 200,
        "response_time": 100 + n,
    }
    found |= {"second_response_time": None, "cache_status": "HIT", "content_type": "text/html; charset=x"}
    found |= {"error": None, "source_type": "link_crawl", "source_url": None}
    return found | more


class Tags(HTMLParser):
    """The tags and attributes of a document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


class Crawled(Pretended):
    """A crawl with these pages."""

    tasks: list[dict[str, Any]] = []

    def body(self, route: Any, query: dict[str, Any]) -> str:
        if name(route).endswith("/export"):
            return "".join(json.dumps(task) + "\n" for task in self.tasks)
        return super().body(route, query)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Crawled:
    return Crawled(monkeypatch)


def report(path: Path) -> str:
    result = CliRunner().invoke(cli, ["report", "j1", "--html", str(path)])
    assert result.exit_code == 0, result.output
    return path.read_text()


def test_it_tells_what_is_broken_slow_and_changed(api: Crawled, tmp_path: Path) -> None:
    broken = task(1, status="failed", status_code=404, error="HTTP 404", source_url="https://x/from")
    api.tasks = [broken, task(2, response_time=3001, cache_status="MISS"), task(3)]
    text = report(tmp_path / "r.html")
    for part in ("Broken links (1)", "https://x/from", "Slow pages (1)", "3.00 s", "newly broken", "<svg", "text/html"):
        assert part in text


def test_nothing_is_loaded_and_nothing_runs(api: Crawled, tmp_path: Path) -> None:
    hostile = {"url": f"javascript:alert(1){HOSTILE}", "source_url": f"https://x/{HOSTILE}", "error": HOSTILE}
    api.tasks = [task(1, status="failed", cache_status=HOSTILE, content_type=HOSTILE, **hostile)]
    api.change = lambda answer: poisoned(answer)
    text = report(tmp_path / "r.html")
    found = Tags(text)
    assert LOADING.intersection(found.tags) == set()
    assert not [name for name, _ in found.attributes if name.startswith("on") or name == "src"]
    assert all((value or "").startswith("https://") for name, value in found.attributes if name == "href")
    assert not {"\x1b", "\u202e"}.intersection(text)


def poisoned(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: poisoned(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return value + HOSTILE if isinstance(value, str) and key not in ("id", "status", "created_at") else value


def test_a_large_crawl_makes_a_small_file(api: Crawled, tmp_path: Path) -> None:
    api.tasks = [task(n, status="failed", response_time=4000 + n, content_type=f"x/{n}") for n in range(3000)]
    text = report(tmp_path / "r.html")
    assert "Broken links (3,000)" in text
    assert f"{MOST} of 3,000 are shown" in text
    assert len(text) < 200_000


def test_a_file_that_cannot_be_written_is_one_line(api: Crawled, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["report", "j1", "--html", str(tmp_path / "no" / "r.html")])
    assert (result.exit_code, "cannot write" in result.stderr) == (1, True)


def test_the_slowest_pages_come_first_by_the_time_that_counts() -> None:
    found = survey(
        [task(1, response_time=9000, second_response_time=10), task(2, response_time=4000), task(3, response_time=5000)]
    )
    assert ([t["url"] for t in found.slow], found.slow_total) == (["https://x/3", "https://x/2"], 2)


def test_a_site_cannot_fill_the_memory_with_names() -> None:
    found = survey(task(n, content_type=f"x/{n}", cache_status=f"c{n}") for n in range(5000))
    assert (len(found.types), found.types.total()) == (1001, 5000)
    assert sum(leading(found.types).values()) == 5000
