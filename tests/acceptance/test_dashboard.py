"""The dashboard in a real browser."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.chromium import PATIENCE, Tab
from tests.acceptance.system import System
from tests.site import Page, Site, html

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
PATHS = ("/", "/schedules", "/domains", "/changes", "/webhooks", "/keys", "/queues", "/queues/jobs")

expect.set_options(timeout=PATIENCE)


def hostile_site() -> dict[str, Any]:
    """40 pages, broken links, and a title and a path that would like to be markup."""
    links = "".join(f'<a href="/page/{n}">{n}</a>' for n in range(40))
    pages: dict[str, Page] = {f"/page/{n}": html(f"Page {n} <a href='/gone/{n % 3}'>x</a>") for n in range(40)}
    body = f"<!doctype html><title>{HOSTILE.replace('<', '&lt;')}</title>{links}<a href='/%3Cscript%3E'>y</a>"
    pages["/"] = (200, {"Content-Type": "text/html", "X-Cache": "HIT"}, body.encode())
    return dict(pages)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(hostile_site(), delay=0.05) as made:
        yield made


def test_a_newcomer_finds_broken_links_exports_them_and_sets_a_weekly_schedule(tab: Tab, site: Site) -> None:
    """What the README promises, by its own steps."""
    page = tab.sign_in()
    page.get_by_label("Domain or URL").fill(f"http://{site.host}")
    page.get_by_role("button", name="Start crawl").click()
    # live: by server-sent events, without a reload
    expect(page.locator("h1 .state")).to_have_text("completed")
    page.get_by_role("link", name="Broken links").click()
    expect(page.locator("[data-live=list] tbody tr")).to_have_count(4)
    expect(page.get_by_text(f"http://{site.host}/gone/2")).to_be_visible()
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_label("Broken links as csv").click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text())))
    assert sorted(row[1] for row in rows[1:])[0].endswith("/%3Cscript%3E")
    assert len(rows) == 5
    page.get_by_role("link", name="Schedules").click()
    page.get_by_label("Domain or URL").fill(f"http://{site.host}")
    page.get_by_label("How often").select_option("Mondays")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("status").get_by_role("listitem")).to_have_count(5)
    page.get_by_role("button", name="Create schedule").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Mondays at 06:00")


def test_a_schedules_crawl_is_edited_with_what_is_wrong_beside_its_field(tab: Tab, system: System, site: Site) -> None:
    body = {"domain": site.host, "cron": "0 6 * * 1"}
    uid = system.call("POST", "/api/schedules", json=body).json()["data"]["id"]
    page = tab.sign_in(f"/schedules/{uid}")
    page.get_by_text("What each crawl does").last.click()
    page.get_by_label("No paths like").fill("*.pdf\nre:(")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("No paths like")).to_have_attribute("aria-invalid", "true")
    # the browser tells of the 400 in its console
    tab.complaints.clear()
    page.get_by_label("No paths like").fill("*.pdf")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("dl.table code")).to_have_text("*.pdf")
    assert system.get(f"/api/schedules/{uid}")["data"]["options"] == {"exclude": ["*.pdf"]}


def test_a_hostile_title_stays_text(tab: Tab, system: System, site: Site) -> None:
    job = system.crawl(f"http://{site.host}")
    system.ended(job)
    home = next(task["id"] for task in system.tasks(job) if task["path"] == "/")
    page = tab.sign_in(f"/jobs/{job}/tasks/{home}")
    expect(page.get_by_text("<script>document.title='owned'</script>")).to_be_visible()
    assert page.title() == "/ · Crawlyard"


def test_the_start_page_updates_itself_and_keeps_what_is_typed(tab: Tab, system: System, site: Site) -> None:
    page = tab.sign_in()
    page.get_by_label("Domain or URL").fill("half.typed")
    system.crawl(f"http://{site.host}")
    expect(page.locator("[data-live=recent]").get_by_text(site.host)).to_be_visible()
    expect(page.get_by_label("Domain or URL")).to_be_focused()
    expect(page.get_by_label("Domain or URL")).to_have_value("half.typed")


def test_it_fits_on_a_phone_light_and_dark(browser: Browser, system: System, site: Site) -> None:
    system.start()
    job = system.crawl(f"http://{site.host}")
    system.ended(job)
    tab = Tab(browser, system, viewport={"width": 360, "height": 740}, is_mobile=True, color_scheme="dark")
    page = tab.sign_in()
    tabs = (f"/jobs/{job}{name}" for name in ("", "/broken", "/broken/pages", "/slow", "/changes", "/compare"))
    for path in (*PATHS, *tabs):
        tab.go(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    for summary in tab.go("/docs").locator("summary").all()[:3]:
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    tab.context.close()
    assert tab.complaints == []


def test_every_control_has_a_name_and_is_reached_by_keyboard(tab: Tab, system: System, site: Site) -> None:
    job = system.crawl(f"http://{site.host}")
    system.ended(job)
    page = tab.sign_in()
    for path in (*PATHS, f"/jobs/{job}"):
        tab.go(path)
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary")]
              .filter((node) => !(node.labels?.length || node.ariaLabel || node.textContent.trim()))
              .map((node) => node.outerHTML)"""
        )
        assert unnamed == [], path
        assert len(page.get_by_role("heading", level=1).all()) == 1, path
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip", path


def test_chosen_queue_jobs_are_retried_in_bulk(tab: Tab, system: System, site: Site) -> None:
    system.ended(system.crawl(f"http://{site.host}"))
    page = tab.sign_in("/queues/jobs?status=failed")
    for box in page.get_by_role("checkbox").all()[:2]:
        box.check()
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_text("2 done")).to_be_visible()


def test_an_expired_session_leads_to_the_sign_in_and_back(tab: Tab, system: System) -> None:
    page = tab.sign_in("/domains")
    tab.context.clear_cookies()
    page.get_by_role("link", name="Webhooks").click()
    page.wait_for_url(re.compile("/login"))
    page.get_by_label("API key").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    # the browser tells of the 401 in its console
    tab.complaints.clear()


def test_a_changed_page_is_shown_side_by_side(tab: Tab, system: System, site: Site) -> None:
    system.ended(system.crawl(f"http://{site.host}"))
    site.pages["/page/1"] = html("Page 1 is another one <a href='/gone/1'>x</a>")
    job = system.crawl(f"http://{site.host}")
    system.ended(job)
    page = tab.sign_in(f"/jobs/{job}/changes")
    page.locator("tbody a[href^='/changes/']").first.click()
    expect(page.locator("td.gone").first).to_contain_text("Page 1")
    expect(page.locator("td.come").first).to_contain_text("another one")
    tab.go(f"/jobs/{job}/compare")
    page.get_by_label("Compare with").select_option(index=1)
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("Differing pages")).to_contain_text("/page/1")
