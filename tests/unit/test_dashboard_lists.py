"""Schedules, domains, pages, changes, webhooks and keys in the dashboard."""

import re
from dataclasses import replace
from typing import Any

import pytest

from api.dashboard.diff import side_by_side
from shared.changes import ChangeType, Difference, pack
from shared.store import keys
from tests.api_kit import Api
from tests.unit.test_dashboard_signin import Browser, signed_in

HOSTILE = "<script>alert(1)</script>\u202e\x1b"
DIFF = "--- a\n+++ b\n@@ -1,3 +1,4 @@\n same\n-old <b>\n+new <b>\n+more\n end\n@@ -9,1 +10,1 @@\n later\n"


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


@pytest.fixture
def browser(api: Api) -> Browser:
    return signed_in(api)


def new_schedule(browser: Browser, **fields: str) -> Any:
    form = {"domain": "example.com", "every": "monday", "at": "06:30", "timezone": "Europe/Berlin"}
    return browser.post("/schedules", "/schedules", **(form | fields))


def domain_id(api: Api) -> str:
    uid: str = api.get("/api/domains")["data"][0]["id"]
    return uid


# -- schedules ----------------------------------------------------------------


def test_a_weekly_schedule_is_made(api: Api, browser: Browser) -> None:
    made = new_schedule(browser, max_pages="50")
    html = browser.get(made.headers["Location"])
    (schedule,) = api.get("/api/schedules")["data"]
    assert (schedule["cron"], schedule["timezone"]) == ("30 6 * * 1", "Europe/Berlin")
    assert schedule["options"] == {"max_pages": 50}
    assert "Mondays at 06:30" in html
    assert len(re.findall(r"Monday \d{4}-\d\d-\d\d 06:30", html)) == 5
    assert "Mondays at 06:30" in browser.get("/schedules")


def test_a_preview_makes_nothing(api: Api, browser: Browser) -> None:
    html = new_schedule(browser, preview="1").text
    assert len(re.findall(r"<li><time[^>]*>Monday \d{4}-\d\d-\d\d 06:30", html)) == 5
    assert 'value="example.com"' in html
    assert api.get("/api/schedules")["data"] == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"domain": ""}, "domain"),
        ({"at": "25:00"}, "at"),
        ({"every": "cron", "cron": "* * *"}, "cron"),
        ({"every": "cron", "cron": "0 0 31 2 *"}, "cron"),
        ({"every": "hours", "intervalHours": "0"}, "intervalHours"),
        ({"every": "hours", "intervalHours": ""}, "intervalHours"),
        ({"every": HOSTILE}, "every"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"max_pages": "many"}, "max_pages"),
        ({"jitter": "9999"}, "jitter"),
        ({"overlap": "explode"}, "overlap"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said_beside_the_field(
    api: Api, browser: Browser, fields: dict[str, str], named: str
) -> None:
    for more in ({}, {"preview": "1"}):
        answer = new_schedule(browser, **fields, **more)
        assert (answer.status_code, f'id="{named}-error"' in answer.text) == (400, True)
        assert HOSTILE not in answer.text
    assert api.get("/api/schedules")["data"] == []


def test_a_schedule_is_changed_paused_and_run(api: Api, browser: Browser) -> None:
    page = new_schedule(browser).headers["Location"]
    changed = {"every": "hours", "intervalHours": "6", "timezone": "UTC", "overlap": "queue", "missed": "none"}
    assert browser.post(page, page, **changed, jitter="60", at="").status_code == 303
    assert "every 6 hours" in browser.get(page)
    assert browser.post(f"{page}/pause", page).status_code == 303
    assert ">paused<" in browser.get(page)
    browser.post(f"{page}/resume", page)
    schedule = api.get(f"/api{page}")["data"]
    assert (schedule["intervalHours"], schedule["overlap"], schedule["paused"]) == (6, "queue", False)
    assert browser.post(f"{page}/run", page).headers["Location"].startswith("/jobs/")
    assert 'value="6"' in browser.post(page, page, every="cron", cron="no", intervalHours="6").text


# -- domains and pages --------------------------------------------------------


def test_a_domain_is_added_and_crawled(api: Api, browser: Browser) -> None:
    page = browser.post("/domains", "/domains", domain="example.com").headers["Location"]
    assert "example.com" in browser.get("/domains")
    again = browser.post("/domains", "/domains", domain="example.com")
    assert (again.status_code, "exists already" in again.text) == (409, True)
    for action in ("discover", "crawl"):
        assert browser.post(f"{page}/{action}", page).headers["Location"].startswith("/jobs/")
    assert browser.post(f"{page}/delete", page).status_code == 409


def test_a_page_is_added_to_its_domain_and_crawled(api: Api, browser: Browser) -> None:
    api.submit()
    domain = f"/domains/{domain_id(api)}"
    for url, status in (("https://example.com/pricing", 303), ("nonsense", 400), ("https://other.example/", 409)):
        assert browser.post(f"{domain}/pages", domain, url=url).status_code == status
    (page,) = re.findall(r'href="(/pages/[^"]*)"><bdi>https://example.com/pricing<', browser.get(domain))
    assert "Known since" in browser.get(page)
    assert re.match(r"/jobs/[^/]*/tasks/", browser.post(f"{page}/crawl", page).headers["Location"])


def test_page_views_are_connected(api: Api, browser: Browser) -> None:
    api.submit()
    domain = f"/domains/{domain_id(api)}"
    answer = browser.post(f"{domain}/analytics", domain, propertyId="x", serviceAccount='{"private_key": "s3cret"}')
    assert (answer.status_code, 'id="propertyId-error"' in answer.text, "s3cret" in answer.text) == (400, True, False)
    answer = browser.post(f"{domain}/analytics", domain, propertyId="1", serviceAccount="no json")
    assert "must be the whole JSON key file" in answer.text


# -- changes ------------------------------------------------------------------


def changed(api: Api, diff: str = DIFF, title: str = "after") -> str:
    api.see(api.crawl(["/"]), 2, "before")
    types, fields = ChangeType.CONTENT | ChangeType.TITLE, {"before": {"title": "was"}, "after": {"title": title}}
    difference = Difference(types, 0.5, pack(diff.encode()), **fields)
    seen = api.look(api.start(api.crawl(["/"]), 2), title)
    assert seen.sighting
    api.record(replace(seen, sighting=replace(seen.sighting, difference=difference)))
    uid: str = api.get("/api/changes")["data"][0]["id"]
    return uid


def test_a_change_is_shown_side_by_side(api: Api, browser: Browser) -> None:
    html = browser.get(f"/changes/{changed(api)}")
    assert re.search(r'class="gone">.*old &lt;b&gt;.*\n.*class="come">.*new &lt;b&gt;', html)
    assert "… the same …" in html
    assert re.search(r'<bdi>was</bdi></td><td class="come"><bdi>after<', html)


def test_changes_are_filtered(api: Api, browser: Browser) -> None:
    uid = changed(api)
    for query, is_there in (("type=title", True), ("type=removed", False), ("since=2999-01-01", False)):
        assert (f"/changes/{uid}" in browser.get(f"/changes?{query}")) is is_there
    assert "<b>since</b>" in browser.get("/changes?since=soon", 400)
    assert f"/changes/{uid}" in browser.get(f"/changes?domainId={domain_id(api)}")


def test_hostile_text_of_a_change_stays_text(api: Api, browser: Browser) -> None:
    uid = changed(api, f"-{HOSTILE}\n+{HOSTILE}", HOSTILE)
    for path in ("/changes", f"/changes/{uid}"):
        assert not re.search(r"<script(?! defer src)|[\u202e\x1b]", browser.get(path))


def test_a_diff_pairs_what_was_with_what_is() -> None:
    rows = [
        (r.before and (r.before.number, r.before.text), r.after and (r.after.number, r.after.text))
        for r in side_by_side(DIFF)
    ]
    assert rows == [
        ((1, "same"), (1, "same")),
        ((2, "old <b>"), (2, "new <b>")),
        (None, (3, "more")),
        ((3, "end"), (4, "end")),
        (None, None),
        ((9, "later"), (10, "later")),
    ]


def test_a_changed_line_of_dashes_is_no_header() -> None:
    (row,) = side_by_side("@@ -1,1 +1,1 @@\n--- x\n+++ y")
    assert row.before
    assert row.after
    assert (row.before.text, row.after.text) == ("-- x", "++ y")


# -- webhooks -----------------------------------------------------------------


def new_webhook(browser: Browser, url: str = "https://192.31.196.7/hook", events: Any = ("job.failed",)) -> Any:
    return browser.post("/webhooks", "/webhooks", url=url, events=list(events), description="ops")


def test_a_webhooks_secret_is_shown_once(api: Api, browser: Browser) -> None:
    shown = new_webhook(browser, events=("job.failed", "page.changed"))
    (secret,) = re.findall(r'value="(whsec_[^"]+)"', shown.text)
    page = re.findall(r'href="(/webhooks/[^"]+)"', shown.text)[0]
    for path in ("/webhooks", page):
        assert secret not in browser.get(path)
    assert api.get(f"/api{page}")["data"]["events"] == ["job.failed", "page.changed"]
    rotated = browser.post(f"{page}/rotate", page).text
    assert re.findall(r'value="(whsec_[^"]+)"', rotated) not in ([], [secret])


def test_a_webhooks_log_is_shown_and_sent_again(api: Api, browser: Browser) -> None:
    page = re.findall(r'href="(/webhooks/[^"]+)"', new_webhook(browser).text)[0]
    assert browser.post(f"{page}/test", page).status_code == 303
    (again,) = re.findall(r'action="([^"]*/redeliver)"', browser.get(page))
    assert browser.post(again, page).status_code == 303
    assert "webhook.test" in browser.get(f"{page}?status=pending")
    assert "No delivery is like this" in browser.get(f"{page}?status=failed")
    for action, is_active in (("disable", False), ("enable", True)):
        browser.post(f"{page}/{action}", page)
        assert api.get(f"/api{page}")["data"]["isActive"] is is_active


@pytest.mark.parametrize(
    ("url", "events", "named"),
    [("", ("job.failed",), "url"), ("ftp://x", ("job.failed",), "url"), ("https://192.31.196.7/", (), "events")],
)
def test_what_is_wrong_with_a_webhook_is_said(browser: Browser, url: str, events: Any, named: str) -> None:
    answer = new_webhook(browser, url, events)
    assert (answer.status_code, f'id="{named}-error"' in answer.text) == (400, True)


# -- keys ---------------------------------------------------------------------


def test_a_key_is_made_shown_once_and_revoked(api: Api, browser: Browser) -> None:
    shown = browser.post("/keys", "/keys", name="CI", scopes=["read"], days="7").text
    (secret,) = re.findall(r'value="(cy_[^"]+)"', shown)
    assert api.call("GET", "/v1/jobs", secret=secret).status_code == 200
    assert api.call("POST", "/v1/jobs", json={"domain": "a.example"}, secret=secret).status_code == 403
    html = browser.get("/keys")
    assert secret not in html
    revoke = re.findall(r'action="(/keys/[^"]*/revoke)"', html)[0]
    assert browser.post(revoke, "/keys").status_code == 303
    assert keys.authenticate(api.store, secret) is None
    assert browser.post(revoke, "/keys").status_code == 404


def test_keys_of_others_are_not_shown(api: Api, browser: Browser) -> None:
    api.key("other")
    assert browser.get("/keys").count("/revoke") == 1


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"name": ""}, "name"), ({"scopes": []}, "scopes"), ({"scopes": ["root"]}, "scopes"), ({"days": "0"}, "days")],
)
def test_what_is_wrong_with_a_key_is_said(browser: Browser, fields: Any, named: str) -> None:
    answer = browser.post("/keys", "/keys", **({"name": "x", "scopes": ["read"]} | fields))
    assert (answer.status_code, f'id="{named}-error"' in answer.text) == (400, True)
