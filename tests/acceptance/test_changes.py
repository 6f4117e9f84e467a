"""Changes through the HTTP API: crawl, change the site, crawl again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.system import KEY, ROOT, System, kill_group
from tests.site import Page, Site, html, redirect
from tests.waiting import until

NOISE = (
    '<p nonce="{0}" data-x="1" class="c">Rendered 2026-01-01 10:00:{0} in request '
    '8f14e45f-ceea-467f-9575-8f14e45fce{0}</p><script>var token = "{0}";</script>'
)


def document(title: str, body: str, noise: int = 10, links: str = "") -> Page:
    head = f'<title>{title}</title><meta name="description" content="About {title}">'
    text = f"<html><head>{head}</head><body><h1>{title}</h1>{body}{NOISE.format(noise)}{links}</body></html>"
    return 200, {"Content-Type": "text/html"}, text.encode()


def first_site() -> dict[str, Page]:
    names = ("same", "text", "title", "gone", "moved", "error", "dropped")
    links = "".join(f'<a href="/{name}">x</a>' for name in names)
    return {"/": document("home", "", links=links)} | {
        f"/{name}": document(name, f"<p>Price 10 of {name}</p>") for name in names
    }


def change(site: Site) -> None:
    """What comes between the crawls; every page has another clock, token and nonce besides."""
    pages = site.pages
    links = "".join(f'<a href="/{name}">x</a>' for name in ("same", "text", "title", "gone", "moved", "error", "fresh"))
    pages["/"] = document("home", "", 20, links)
    pages["/same"] = document("same", "<p class=c >Price  10 of same</p>", 21)
    pages["/text"] = document("text", "<p>Price 12 of text</p>", 22)
    pages["/title"] = document("other", "<p>Price 10 of title</p>", 23)
    pages["/gone"] = html("<p>Not here</p>", status=404)
    pages["/moved"] = redirect("/same", 301)
    pages["/error"] = html("<p>Oops</p>", status=500)
    pages["/fresh"] = document("fresh", "<p>Hello</p>")


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(first_site()) as made:
        yield made


@pytest.fixture
def system(tmp_path: Path, store_url: str, site: Site) -> Iterator[System]:
    with System(tmp_path, store_url, CRAWLYARD_ALLOW_PRIVATE=site.host) as made:
        made.start()
        yield made


def crawled(system: System, site: Site, **options: Any) -> str:
    job_id = system.crawl(f"http://{site.host}", **options)
    assert system.ended(job_id)["status"] == "completed"
    return job_id


def types_of(system: System, query: str = "") -> dict[str, list[str]]:
    return {c["url"].rpartition("/")[2]: c["types"] for c in system.get(f"/api/changes?limit=100{query}")["data"]}


def cli(system: System, *args: str) -> str:
    env = system.env | {"CRAWLYARD_API": system.url(""), "CRAWLYARD_API_KEY": KEY}
    command = [sys.executable, "-m", "api.cli", *args]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_second_crawl_tells_what_changed_and_nothing_else(system: System, site: Site) -> None:
    first = crawled(system, site)
    assert system.get("/api/changes")["meta"]["total"] == 0
    change(site)
    second = crawled(system, site)
    assert types_of(system) == {
        "text": ["content"],
        "title": ["content", "title", "description", "headings"],
        "gone": ["removed", "status"],
        "moved": ["redirect"],
        "error": ["status"],
        "fresh": ["new"],
    }
    found = system.get("/api/changes?type=content&limit=100")["data"]
    (text,) = [c for c in found if c["url"].endswith("/text")]
    detail = system.get(f"/api/changes/{text['id']}")["data"]
    assert "-Price 10 of text\n+Price 12 of text" in detail["diff"]
    assert 0.8 < detail["similarity"] < 1
    changed = {t["url"].rpartition("/")[2]: return_value(system, t["id"])["changed"] for t in completed(system, second)}
    assert changed == {"": False, "same": False, "text": True, "title": True, "fresh": True}
    compare_shows(system, site, first, second)
    assert text["id"] in cli(system, "changes", "list", "--type", "content")
    assert "+Price 12 of text" in cli(system, "changes", "show", text["id"])
    assert json.loads(cli(system, "compare", second, "--with", first, "--json"))["summary"]["newly_broken"] == 2


def completed(system: System, job_id: str) -> list[Any]:
    return [t for t in system.tasks(job_id) if t["status"] == "completed"]


def return_value(system: System, task: str) -> Any:
    return system.get(f"/api/jobs/{task}")["data"]["returnValue"]


def compare_shows(system: System, site: Site, first: str, second: str) -> None:
    answer = system.get(f"/v1/jobs/{second}/compare")
    assert answer["before"]["id"] == first
    pages = {p["url"].removeprefix(site.url("/")): p["kinds"] for p in answer["pages"]}
    assert pages.pop("dropped") == ["removed"]
    (moved,) = [p for p in answer["pages"] if p["url"].endswith("/moved")]
    assert (moved["before"]["status_code"], moved["after"]["status"], moved["after"]["status_code"]) == (
        200,
        "skipped",
        301,
    )
    assert pages == {
        "moved": ["changed"],
        "text": ["changed"],
        "title": ["changed"],
        "gone": ["changed", "newly_broken"],
        "error": ["changed", "newly_broken"],
        "fresh": ["added"],
    }
    assert answer["summary"]["unchanged"] == 2


def test_an_error_that_passes_changes_no_content(system: System, site: Site) -> None:
    crawled(system, site)
    was, site.pages["/text"] = site.pages["/text"], html("<p>Maintenance</p>", status=404)
    crawled(system, site)
    site.pages["/text"] = was
    crawled(system, site)
    statuses = [(c["before"], c["after"]) for c in system.get("/api/changes")["data"]]
    assert statuses == [({"statusCode": 404}, {"statusCode": 200}), ({"statusCode": 200}, {"statusCode": 404})]


def test_two_crawls_at_once_and_a_killed_worker_double_no_change(system: System, site: Site) -> None:
    crawled(system, site)
    for name in ("same", "text", "title", "gone", "moved", "error", "dropped"):
        site.pages[f"/{name}"] = document(name, f"<p>Price 99 of {name}</p>")
    jobs = [system.crawl(f"http://{site.host}", concurrency=2) for _ in range(2)]
    until(lambda: sum(system.pages_done(job) for job in jobs) > 3, 30)
    kill_group(system.workers[0])
    system.run("worker")
    assert [system.ended(job)["status"] for job in jobs] == ["completed"] * 2
    urls = sorted(c["url"] for c in system.get("/api/changes?limit=100")["data"])
    assert len(urls) == len(set(urls)) == 7
