"""`python -m tests.screenshots`: the pictures of the README, made from the real thing."""

import tempfile
from pathlib import Path

from playwright.sync_api import expect

from tests.acceptance.chromium import Tab, chromium
from tests.acceptance.system import ROOT, System
from tests.site import Page, Site, html
from tests.waiting import until

IMAGES = ROOT / "docs" / "images"
PAGES = 400


def shop() -> dict[str, Page]:
    """A shop with some links that lead nowhere and some pages that a cache answers."""
    pages: dict[str, Page] = {}
    for n in range(PAGES):
        gone = f"<a href='/discontinued/{n % 7}'>old</a>" if n % 9 == 0 else ""
        status, headers, body = html(f"<h1>Product {n}</h1>{gone}<a href='/products/{(n * 7 + 1) % PAGES}'>next</a>")
        pages[f"/products/{n}"] = (status, headers | {"X-Cache": "HIT" if n % 3 else "MISS"}, body)
    pages["/"] = html("".join(f"<a href='/products/{n}'>{n}</a>" for n in range(0, PAGES, 2)))
    return pages


def main() -> None:
    """Starts a system, crawls a shop, and takes a picture of each page."""
    with tempfile.TemporaryDirectory() as home, Site(dict(shop()), delay=0.06) as site:
        url = f"sqlite:///{home}/crawlyard.db"
        with System(Path(home), url, CRAWLYARD_ALLOW_PRIVATE=site.host) as system, chromium() as browser:
            system.start()
            tab = Tab(browser, system, viewport={"width": 1280, "height": 900}, color_scheme="light")
            tab.sign_in()
            first = system.crawl(f"http://{site.host}", max_pages=250)
            system.ended(first, 120)
            pictures(tab, site)


def pictures(tab: Tab, site: Site) -> None:
    """A crawl from its start to its broken links, a schedule, the queue."""
    body = {"domain": site.host, "cron": "0 6 * * 1", "timezone": "Europe/Berlin"}
    made = tab.system.call("POST", "/api/schedules", json=body).json()["data"]
    job = tab.system.crawl(f"http://{site.host}", concurrency=5)
    page = tab.go("/")
    expect(page.locator(".runs progress")).to_have_count(1)
    expect(page.locator(".runs .facts")).to_contain_text("pages/s", timeout=30_000)
    shoot(tab, "start")
    # so slow that workers are seen at work
    site.delay = 2.0
    tab.go("/queues")
    expect(page.locator(".doing").first).to_be_visible(timeout=30_000)
    # down to what each worker does
    page.set_viewport_size({"width": 1280, "height": 1180})
    shoot(tab, "queues")
    page.set_viewport_size({"width": 1280, "height": 900})
    site.delay = 0.01
    tab.go(f"/jobs/{job}")
    tab.system.ended(job, 120)
    by_page = f"/jobs/{job}/broken/pages"
    until(lambda: "until a moment after" not in tab.go(by_page).content(), 30, "the holders are not read")
    for path, name in ((f"/jobs/{job}", "crawl"), (by_page, "broken-links")):
        tab.go(path)
        shoot(tab, name)
    tab.go(f"/schedules/{made['id']}")
    shoot(tab, "schedule")


def shoot(tab: Tab, name: str) -> None:
    """What the window shows, as a file of the documentation."""
    tab.page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    main()
