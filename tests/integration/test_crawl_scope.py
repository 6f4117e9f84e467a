"""What a crawl takes and leaves, by a worker on real services; host names that stand for loopback addresses."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.ports import free_port
from tests.crawling import Crawls, crawls
from tests.site import Page, Site, html, redirect

WWW, BLOG, OTHER = "www.example.co.uk", "blog.example.co.uk", "example2.co.uk"
NAMES = {WWW: "127.0.0.1", "example.co.uk": "127.0.0.1", BLOG: "127.0.0.2", OTHER: "127.0.0.3"}
PASSWORD = "open sesame"
BASIC = "Basic a8OkdGhlOm9wZW4gc2VzYW1l"
SECRETS = {
    "headers": {"X-Preview": "stage-7"},
    "cookies": {"session": "c00kie"},
    "auth": {"username": "käthe", "password": PASSWORD},
}


class Web:
    """One port of three hosts."""

    def __init__(self, port: int, www: Site, blog: Site, other: Site) -> None:
        self.port, self.www, self.blog, self.other = port, www, blog, other
        self.domain = f"http://{WWW}:{port}"

    def links(self, *targets: str) -> Page:
        """A page with links; `blog:` and `other:` stand for the other hosts."""
        return html("".join(f'<a href="{self.url(t)}">{t}</a>' for t in targets))

    def url(self, target: str) -> str:
        host, _, path = target.rpartition(":")
        return f"http://{ {'blog': BLOG, 'other': OTHER}[host] }:{self.port}{path}" if host else target


@pytest.fixture
def web() -> Iterator[Web]:
    port = free_port()
    with ExitStack() as stack:
        sites = [stack.enter_context(Site(port=port, address=f"127.0.0.{n}")) for n in (1, 2, 3)]
        yield Web(port, *sites)


@pytest.fixture
def crawl(sqlite_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crawls]:
    with crawls(sqlite_url, redis_url, tmp_path, NAMES, monkeypatch) as system:
        yield system


@pytest.fixture
def either(store_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crawls]:
    """The same on either database."""
    with crawls(store_url, redis_url, tmp_path, NAMES, monkeypatch) as system:
        yield system


@pytest.mark.parametrize(("across", "pages"), [(True, {"/", "/a", "/post"}), (False, {"/", "/a"})])
def test_subdomains_belong_to_a_crawl_and_other_registrations_do_not(
    crawl: Crawls, web: Web, across: bool, pages: set[str]
) -> None:
    web.www.pages = {"/": web.links("/a", "blog:/post", "other:/evil"), "/a": html("a")}
    web.blog.pages = {"/post": html("post")}
    job = crawl.run(web.domain, use_sitemap=False, allow_cross_subdomain_links=across)
    assert crawl.statuses(job) == dict.fromkeys(pages, "completed")
    assert web.other.paths() == []


def test_secrets_go_to_the_jobs_hosts_and_nowhere_else(
    either: Crawls, web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    web.www.pages = {
        "/": web.links("/a", "blog:/post", "/away", "/away-and-back", "/near"),
        "/a": html("a"),
        "/near": redirect(web.url("blog:/post")),
        "/away": redirect(web.url("other:/evil")),
        "/away-and-back": redirect(web.url("other:/back")),
    }
    web.blog.pages = {"/post": html("post")}
    web.other.pages = {"/evil": html("evil"), "/back": redirect(f"{web.domain}/a")}
    with caplog.at_level(logging.DEBUG):
        job = either.run(web.domain, use_sitemap=False, **SECRETS)
    assert set(web.other.paths()) == {"/evil", "/back"}
    assert not {"authorization", "cookie", "x-preview"} & {name for r in web.other.requests for name in r.headers}
    for request in [*web.www.requests, *web.blog.requests]:
        sent = tuple(request.headers.get(name) for name in ("authorization", "cookie", "x-preview"))
        assert sent == ((None,) * 3 if request.path == "/robots.txt" else (BASIC, "session=c00kie", "stage-7"))
    written = either.dump() + caplog.text + str(either.tasks(job)) + str(job)
    assert not [secret for secret in (PASSWORD, BASIC[6:], "c00kie", "stage-7") if secret in written]


def test_a_site_behind_a_password_is_crawled_with_it(crawl: Crawls, web: Web) -> None:
    realm = {"WWW-Authenticate": 'Basic realm="x"'}

    def guarded(path: str) -> Page | None:
        given = web.www.requests[-1].headers.get("authorization")
        return html('<a href="/inside">inside</a>') if given == BASIC else html("no", status=401, headers=realm)

    web.www.fallback = guarded
    refused = crawl.run(web.domain, use_sitemap=False)
    assert crawl.statuses(refused) == {"/": "failed"}
    crawled = crawl.run(web.domain, use_sitemap=False, concurrency=1, auth=SECRETS["auth"])
    assert crawl.statuses(crawled) == {"/": "completed", "/inside": "completed"}


def test_redirects_lead_nowhere_that_robots_txt_forbids(crawl: Crawls, web: Web) -> None:
    robots = 200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /private"
    web.www.pages = {
        "/": web.links("/near", "/far", "/open", "/away"),
        "/near": redirect("/private/a"),
        "/far": redirect(web.url("blog:/private/b")),
        "/open": redirect(web.url("blog:/post")),
        "/away": redirect(web.url("other:/private/c")),
        "/robots.txt": robots,
    }
    web.blog.pages = {"/post": html("post"), "/robots.txt": robots}
    web.other.pages = {"/private/c": html("a stranger's"), "/robots.txt": robots}
    job = crawl.run(web.domain, use_sitemap=False)
    reasons = {task["path"]: task["error"] for task in crawl.tasks(job)}
    assert reasons["/near"] == f"Leads to {web.domain}/private/a, which robots.txt does not allow"
    assert crawl.statuses(job)["/post"] == "completed"
    assert "/private/a" not in web.www.paths()
    assert sorted(set(web.blog.paths())) == ["/post", "/robots.txt"]
    # what a single look at a link finds on a host that is no part of the crawl needs no file of rules
    assert web.other.paths() == ["/private/c"]


def urlset(*urls: str) -> Page:
    found = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
    return 200, {"Content-Type": "application/xml"}, f"<urlset>{found}</urlset>".encode()


@pytest.mark.parametrize("allowed", [True, False])
def test_a_sitemap_on_another_host_is_asked_for_as_that_hosts_rules_allow(
    crawl: Crawls, web: Web, allowed: bool
) -> None:
    announced = f"Sitemap: {web.url('other:/maps/1.xml')}".encode()
    rules = b"User-agent: *\nDisallow: /" + (b"private" if allowed else b"maps")
    web.www.pages = {"/": html("home"), "/a": html("a"), "/robots.txt": (200, {}, announced)}
    web.other.pages = {"/robots.txt": (200, {}, rules), "/maps/1.xml": urlset(f"{web.domain}/a")}
    job = crawl.run(web.domain)
    assert web.other.paths() == ["/robots.txt", "/maps/1.xml"][: 1 + allowed]
    assert set(crawl.statuses(job)) == ({"/", "/a"} if allowed else {"/"})
    assert len(job["warnings"]) == (0 if allowed else 1)
    assert all("robots.txt does not allow" in warning["message"] for warning in job["warnings"])


def test_sitemaps_are_not_guessed_where_robots_txt_forbids_them(crawl: Crawls, web: Web) -> None:
    rules = b"User-agent: *\nDisallow: /sitemap.xml"
    web.www.pages = {
        "/": html("home"),
        "/robots.txt": (200, {}, rules),
        "/a": html("a"),
        "/sitemap_index.xml": urlset("/a"),
    }
    job = crawl.run(web.domain)
    assert sorted(web.www.paths()) == ["/", "/a", "/robots.txt", "/sitemap_index.xml"]
    assert job["warnings"] == []


def test_rules_leave_out_what_is_found_and_never_ask_for_it(crawl: Crawls, web: Web) -> None:
    web.www.pages = {
        "/": web.links("/blog/1", "/blog/secret/1", "/shop", "/blog/out"),
        "/blog/1": web.links("/blog/2?page=1", "/shop"),
        "/blog/2?page=1": html("2"),
        "/blog/out": redirect("/blog/secret/2"),
        "/blog/secret/2": html("secret"),
    }
    job = crawl.run(web.domain, use_sitemap=False, include=["/blog/*"], exclude=["re:/secret/"])
    statuses = dict.fromkeys(("/", "/blog/1", "/blog/2?page=1"), "completed")
    assert crawl.statuses(job) == statuses | {"/blog/out": "skipped"}
    (skipped,) = [task for task in crawl.tasks(job) if task["status"] == "skipped"]
    assert skipped["error"].endswith("/blog/secret/2, which the rule re:/secret/ excludes")
    assert not [path for path in web.www.paths() if "secret" in path or path == "/shop"]


def test_the_start_is_crawled_whatever_the_rules_say(crawl: Crawls, web: Web) -> None:
    web.www.pages = {"/": redirect("/en/"), "/en/": web.links("/blog/1", "/en/about"), "/blog/1": html("1")}
    job = crawl.run(web.domain, use_sitemap=False, include=["/blog/*"])
    assert crawl.statuses(job) == {"/": "skipped", "/en/": "completed", "/blog/1": "completed"}


def test_the_depth_is_the_shortest_way_whichever_page_answers_first(either: Crawls, web: Web) -> None:
    # by its shortest way /d is two links away and /e three; the quick way to /d is three links long
    web.www.pages = {
        "/": web.links("/slow", "/b"),
        "/b": web.links("/c"),
        "/c": web.links("/d"),
        "/d": web.links("/e"),
        "/e": web.links("/f"),
        "/f": html("f"),
    }
    web.www.fallback = lambda path: web.links("/d") if path == "/slow" and not web.www.closing.wait(0.7) else None
    job = either.run(web.domain, use_sitemap=False, max_depth=3)
    assert crawled(either, job) == {"/", "/slow", "/b", "/c", "/d", "/e"}


def crawled(system: Crawls, job: object) -> set[str]:
    return {path for path, status in system.statuses(job).items() if status == "completed"}


@pytest.mark.parametrize(("depth", "pages"), [(0, {"/"}), (1, {"/", "/a", "/map"}), (2, {"/", "/a", "/map", "/b"})])
def test_a_depth_counts_links_and_a_sitemap_is_one(crawl: Crawls, web: Web, depth: int, pages: set[str]) -> None:
    sitemap = f"<urlset><url><loc>{web.domain}/map</loc></url></urlset>".encode()
    web.www.pages = {
        "/": web.links("/a"),
        "/a": web.links("/b"),
        "/map": web.links("/b"),
        "/b": web.links("/c"),
        "/c": html("c"),
        "/sitemap.xml": (200, {"Content-Type": "application/xml"}, sitemap),
    }
    assert crawled(crawl, crawl.run(web.domain, max_depth=depth)) == pages


def test_a_redirect_is_no_link(crawl: Crawls, web: Web) -> None:
    web.www.pages = {"/": redirect("/en/"), "/en/": web.links("/a"), "/a": web.links("/b"), "/b": html("b")}
    job = crawl.run(web.domain, use_sitemap=False, max_depth=1)
    assert crawl.statuses(job) == {"/": "skipped", "/en/": "completed", "/a": "completed"}


def test_dropped_parameters_make_one_page_of_many_links(crawl: Crawls, web: Web) -> None:
    web.www.pages = {
        "/": web.links("/a?utm_source=x", "/a?utm_source=y&id=1", "/a?id=1&gclid=z", "/r"),
        "/a": html("a"),
        "/a?id=1": html("a1"),
        "/r": redirect("/a?utm_medium=r"),
        "/a?utm_medium=r": html("a"),
    }
    job = crawl.run(web.domain, use_sitemap=False, query={"drop": ["utm_*", "gclid"]})
    done = dict.fromkeys(("/", "/a", "/a?id=1"), "completed")
    assert crawl.statuses(job) == done | {"/r": "skipped"}


def test_a_list_of_urls_is_the_whole_job(either: Crawls, web: Web) -> None:
    web.www.pages = {path: web.links("/found") for path in ("/", "/1", "/2?b=1", "/found")}
    urls = [f"{web.domain}{path}" for path in ("/1", "/2?b=1", "/1#again")] + [web.url("other:/evil")]
    job = either.run(web.domain, urls=urls, exclude=["/1"], query="drop")
    assert either.statuses(job) == {"/1": "completed", "/2?b=1": "completed", "/evil": "skipped"}
    reasons = {task["source_type"]: task["error"] for task in either.tasks(job) if task["status"] == "skipped"}
    assert reasons == {"manual": f"Not on a host of the crawl of {WWW}:{web.port}"}
    assert web.other.paths() == []
    assert job["source_type"] == "manual"


def test_links_of_listed_pages_are_followed_on_request(crawl: Crawls, web: Web) -> None:
    web.www.pages = {"/1": web.links("/2"), "/2": html("2"), "/": html("home")}
    job = crawl.run(web.domain, urls=[f"{web.domain}/1"], find_links=True)
    assert crawl.statuses(job) == {"/1": "completed", "/2": "completed"}


def test_a_sitemap_is_the_start_when_the_domain_is_given_as_one(crawl: Crawls, web: Web) -> None:
    locations = "".join(f"<url><loc>{web.domain}{path}</loc></url>" for path in ("/a", "/b", "/no"))
    web.www.pages = {
        "/": html("home"),
        "/maps/pages.xml": (200, {"Content-Type": "text/xml"}, f"<urlset>{locations}</urlset>".encode()),
        "/a": web.links("/c"),
        "/b": html("b"),
        "/c": html("c"),
    }
    job = crawl.run(f"{web.domain}/maps/pages.xml", exclude=["/no"], max_depth=0)
    assert crawl.statuses(job) == {"/a": "completed", "/b": "completed"}


def test_a_sitemap_that_cannot_be_read_fails_the_job_with_the_reason(crawl: Crawls, web: Web) -> None:
    job = crawl.run(web.domain, sitemap_url=f"{web.domain}/nothing.xml")
    assert (job["status"], job["error"]) == ("failed", f"{web.domain}/nothing.xml: HTTP 404")


def test_a_jobs_user_agent_is_sent_and_selects_the_rules_of_robots_txt(crawl: Crawls, web: Web) -> None:
    rules = b"User-agent: probe\nDisallow: /a\n\nUser-agent: *\nDisallow: /b\n"
    web.www.pages = {
        "/robots.txt": (200, {"Content-Type": "text/plain"}, rules),
        "/": web.links("/a", "/b"),
        "/a": html("a"),
        "/b": html("b"),
    }
    job = crawl.run(web.domain, use_sitemap=False, user_agent="Probe/1 (+https://example.co.uk)")
    assert crawl.statuses(job) == {"/": "completed", "/a": "skipped", "/b": "completed"}
    assert {r.headers["user-agent"] for r in web.www.requests} == {"Probe/1 (+https://example.co.uk)"}
    ours = crawl.run(web.domain, use_sitemap=False)
    assert crawl.statuses(ours) == {"/": "completed", "/a": "completed", "/b": "skipped"}
