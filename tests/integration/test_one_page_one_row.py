"""One page, one row, through a crawl by a real worker of a site that has names on loopback."""

import socket
from collections.abc import Callable, Iterator
from itertools import chain

import pytest

from shared import jobs as use_cases
from shared.models import JobOptions
from shared.queue import TaskQueue
from shared.settings import Settings
from shared.states import ACTIVE_JOB, TaskState
from shared.store import jobs, keys, task_lists
from shared.store.jobs import FirstTask
from shared.store.task_lists import TaskFilter, Window
from tests.site import Page, Site, html, redirect
from tests.waiting import until
from workers import egress, runtime
from workers.worker import ConcurrentWorker

COMPLETED, SKIPPED, FAILED = TaskState.COMPLETED, TaskState.SKIPPED, TaskState.FAILED
#: state by URL
Rows = dict[str, TaskState]
Crawl = Callable[[dict[str, Page]], Rows]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Answers for every name, at its default port."""
    with Site() as made:
        port = int(made.host.rpartition(":")[2])
        open_as_asked = egress._open

        monkeypatch.setattr(egress, "resolve", lambda *_: [(socket.AF_INET, "127.0.0.1")])
        monkeypatch.setattr(egress, "_open", lambda m, f, address, t: open_as_asked(m, f, (address[0], port), t))
        yield made


@pytest.fixture
def crawl(site: Site, queue: TaskQueue, redis_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Crawl:
    """Crawls http://e.test/ with these pages."""
    monkeypatch.setattr(ConcurrentWorker, "_install_signal_handlers", lambda self: None)
    env = {"REDIS_URL": redis_url, "DATABASE_URL": sqlite_url, "CRAWLYARD_ALLOW_PRIVATE": "127.0.0.1"}

    def run(pages: dict[str, Page]) -> Rows:
        site.pages = dict(pages)
        ctx = runtime.build(Settings.from_env(env), queue.redis)
        monkeypatch.setattr(runtime, "_installed", ctx)
        try:
            return _crawled(ctx, queue)
        finally:
            ctx.close()

    return run


def _crawled(ctx: runtime.Runtime, queue: TaskQueue) -> Rows:
    organisation = keys.create(ctx.store, None, "test")[0].organisation_id
    options = JobOptions(use_sitemap=False)
    job, _ = use_cases.submit_crawl(ctx.store, queue, organisation, "http://e.test", options, FirstTask())

    def ended() -> bool:
        ConcurrentWorker(queue.redis, threads=4).work(burst=True)
        return jobs.get(ctx.store, job.id).state not in ACTIVE_JOB

    until(ended, 30)
    records, _ = task_lists.page(ctx.store, job, TaskFilter(), Window(200))
    return {record.url: record.state for record in records}


def linking(*hrefs: str, canonical: str = "") -> Page:
    link = f'<link rel=canonical href="{canonical}">' if canonical else ""
    body = link + " ".join(f'<a href="{href}">x</a>' for href in hrefs)
    return 200, {"Content-Type": "text/html"}, body.encode()


SPELLINGS = {
    "/a": ["/a", "http://www.e.test/a", "https://e.test/a", "https://www.e.test/a"],
    "/b": ["/b", "HTTP://E.TEST/b", "//E.tEsT/b", "http://e.test:80/b"],
    "/c": ["/c", "/c#top", "/c?", "/c?#", " /c\n", "http://user:pw@e.test/c"],
    "/d~e": ["/d~e", "/%64~e", "/d%7Ee", "/%64%7ee"],
    "/%C3%A9": ["/%C3%A9", "/%c3%a9", "/é"],
    "/x/a": ["/x/a", "/./x/a", "/y/../x/a", "/x/%2e/a", "/../x/a", "/x/./y/..//../a", "\\x\\a"],
}


def test_every_spelling_is_one_row(crawl: Crawl, site: Site) -> None:
    rows = crawl({"/": linking(*chain(*SPELLINGS.values())), **{path: html(path) for path in SPELLINGS}})
    assert rows == {f"http://e.test{path}": COMPLETED for path in ("/", *SPELLINGS)}
    assert [site.paths().count(path) for path in SPELLINGS] == [1] * len(SPELLINGS)


def test_case_and_escapes_that_mean_something_are_other_pages(crawl: Crawl) -> None:
    paths = ("/a", "/A", "/a%2Fb", "/a/b", "/a?x", "/a?X", "/a/", "/a//b")
    assert set(crawl({"/": linking(*paths), **{path: html(path) for path in paths}})) == {
        f"http://e.test{path}" for path in ("/", *paths)
    }


def test_a_slash_is_added_by_a_redirect(crawl: Crawl) -> None:
    rows = crawl({"/": linking("/d", "/d/"), "/d": redirect("/d/", 301), "/d/": html("D")})
    assert rows == {"http://e.test/": COMPLETED, "http://e.test/d": SKIPPED, "http://e.test/d/": COMPLETED}


def test_a_slash_is_added_or_taken_by_a_canonical(crawl: Crawl) -> None:
    pairs = {"/d": "/d/", "/e/": "/e", "/f?a=1": "/f/?a=1"}
    pages = {other: linking("/further" + other[:2], canonical=named) for other, named in pairs.items()}
    pages |= {named: pages[other] for other, named in pairs.items()}
    rows = crawl({"/": linking(*pairs), **pages})
    assert {path for path in pairs if rows[f"http://e.test{path}"] is SKIPPED} == set(pairs)
    assert {path for path in pairs.values() if rows[f"http://e.test{path}"] is COMPLETED} == set(pairs.values())
    assert {f"http://e.test/further/{letter}" for letter in "def"} <= set(rows)


def test_canonicals_that_name_each_other_leave_one_row(crawl: Crawl) -> None:
    pages = {"/d": linking(canonical="/d/"), "/d/": linking(canonical="/d")}
    rows = crawl({"/": linking(*pages), **pages})
    assert rows == {"http://e.test/": COMPLETED, "http://e.test/d": SKIPPED, "http://e.test/d/": COMPLETED}


def test_a_wrong_canonical_makes_no_page_disappear(crawl: Crawl) -> None:
    wrong = {
        "/home": linking("/x", canonical="/"),
        "/gone": linking(canonical="/gone/"),
        "/other": linking(canonical="/other/"),
        "/away": linking(canonical="/away/"),
        "/foreign": linking(canonical="http://elsewhere.example/foreign/"),
        "/bad": linking(canonical="http://[/"),
    }
    others = {"/other/": html("something else"), "/away/": redirect("/home"), "/x": html("X")}
    rows = crawl({"/": linking(*wrong), **wrong, **others})
    assert {path for path in wrong if rows.get(f"http://e.test{path}") is not COMPLETED} == set()
    assert rows["http://e.test/gone/"] is FAILED
    assert rows["http://e.test/other/"] is COMPLETED
    assert rows["http://e.test/away/"] is SKIPPED


def test_index_html_is_its_folder_only_where_the_content_says_so(crawl: Crawl) -> None:
    same, other = html("same"), html("other")
    pages = {"/a/": same, "/a/index.html": same, "/b/": same, "/b/index.html": other, "/c/index.html": other}
    rows = crawl({"/": linking(*pages), **pages})
    assert [path for path in pages if rows[f"http://e.test{path}"] is SKIPPED] == ["/a/index.html"]
    assert "http://e.test/c/" not in rows
