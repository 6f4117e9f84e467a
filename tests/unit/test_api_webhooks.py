"""`/api/webhooks` without workers: what is accepted, shown and kept."""

import sys
from typing import Any

import pytest

from shared.clock import now_us
from shared.store import deliveries
from tests.api_kit import Api

#: a public address, so that no name is looked up
URL = "https://192.31.196.7/hooks/crawlyard"
BODY = {"url": URL, "events": ["job.completed", "job.failed"], "description": "the build server"}


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def made(api: Api, **fields: Any) -> Any:
    return api.post("/api/webhooks", BODY | fields, 201)["data"]


def refused(api: Api, **fields: Any) -> str:
    answer = api.post("/api/webhooks", BODY | fields, 400)
    (detail,) = answer["details"]
    assert detail["field"].split(".")[0] in fields
    return str(detail["message"])


def test_it_works(api: Api) -> None:
    webhook = made(api)
    assert webhook["secret"].startswith("whsec_")
    assert (webhook["url"], webhook["events"], webhook["isActive"]) == (URL, BODY["events"], True)
    shown = api.get(f"/api/webhooks/{webhook['id']}")["data"]
    assert shown == {name: value for name, value in webhook.items() if name != "secret"}
    assert api.get("/api/webhooks")["data"] == [shown]


def test_the_secret_is_shown_once_even_to_the_same_request_sent_again(api: Api) -> None:
    first, second = (api.post("/api/webhooks", BODY, 201, headers={"Idempotency-Key": "k"})["data"] for _ in "12")
    assert first["id"] == second["id"]
    assert (first["secret"][:6], second["secret"]) == ("whsec_", None)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/x",
        "http://127.0.0.1:8000/",
        "http://169.254.169.254/",
        "http://[fd00::1]/",
    ],
)
def test_a_private_address_is_refused(api: Api, url: str) -> None:
    assert "private or reserved" in refused(api, url=url)


@pytest.mark.parametrize("url", ["", "example.com", "ftp://example.com/", "http://user:pw@example.com/", "x" * 3000])
def test_what_is_no_url_is_refused(api: Api, url: str) -> None:
    assert refused(api, url=url)


@pytest.mark.parametrize("events", [[], ["job.exploded"], ["job.failed", "job.failed"], "job.failed"])
def test_wrong_events_are_refused(api: Api, events: Any) -> None:
    assert refused(api, events=events)


def test_changes_keep_what_is_not_named(api: Api) -> None:
    path = f"/api/webhooks/{made(api)['id']}"
    changed = api.call("PATCH", path, json={"events": ["page.changed"]}).json["data"]
    assert (changed["events"], changed["url"], changed["description"]) == (["page.changed"], URL, "the build server")
    assert api.call("PATCH", path, json={"url": "http://10.0.0.1/"}).status_code == 400
    assert api.call("PATCH", path, json={"type": "apprise"}).status_code == 400
    assert api.call("PATCH", path, json={"url": "slack://a/b/c"}).status_code == 409
    assert api.get(path)["data"]["url"] == URL


def test_a_webhook_is_switched_off_and_on(api: Api) -> None:
    path = f"/api/webhooks/{made(api)['id']}"
    off = api.call("PATCH", path, json={"isActive": False}).json["data"]
    assert (off["isActive"], off["disabledReason"]) == (False, "Switched off by request")
    assert "switched off" in api.post(f"{path}/test", None, 409)["error"]
    assert api.call("PATCH", path, json={"isActive": True}).json["data"]["disabledReason"] is None


def test_a_rotation_shows_a_new_secret_and_how_long_the_old_one_signs(api: Api) -> None:
    webhook = made(api)
    rotated = api.post(f"/api/webhooks/{webhook['id']}/rotate")["data"]
    assert rotated["secret"] != webhook["secret"]
    assert rotated["oldSecretUntil"] > rotated["updatedAt"]


def test_a_try_is_in_the_log(api: Api) -> None:
    path = f"/api/webhooks/{made(api)['id']}"
    sent = api.post(f"{path}/test", None, 202)["data"]
    assert (sent["eventType"], sent["status"], sent["attempts"]) == ("webhook.test", "pending", 0)
    assert api.get(f"{path}/deliveries")["data"] == [sent]
    assert api.get(f"{path}/deliveries", status="failed")["meta"]["total"] == 0


def test_a_delivery_is_sent_again_under_its_message_id(api: Api) -> None:
    path = f"/api/webhooks/{made(api)['id']}"
    first = api.post(f"{path}/test", None, 202)["data"]
    (claimed,) = deliveries.due(api.store, now_us())
    started = deliveries.start(api.store, int(claimed[16:], 16) & (1 << 62) - 1, now_us())
    assert started is not None
    deliveries.finish(api.store, started, deliveries.Attempt(now_us(), 12, 200, answer="ok"))
    second = api.post(f"{path}/deliveries/{first['id']}/redeliver", None, 202)["data"]
    assert (second["messageId"], second["payload"]) == (first["messageId"], first["payload"])
    assert [d["status"] for d in api.get(f"{path}/deliveries")["data"]] == ["pending", "delivered"]


def test_a_delivery_of_another_webhook_is_not_found(api: Api) -> None:
    one, other = made(api)["id"], made(api)["id"]
    sent = api.post(f"/api/webhooks/{one}/test", None, 202)["data"]["id"]
    assert api.post(f"/api/webhooks/{other}/deliveries/{sent}/redeliver", None, 404)["code"] == "NOT_FOUND"


def test_a_deleted_webhook_is_gone(api: Api) -> None:
    path = f"/api/webhooks/{made(api)['id']}"
    assert api.call("DELETE", path).status_code == 200
    assert api.get(path, 404)["code"] == "NOT_FOUND"


def test_an_apprise_url_is_never_shown(api: Api) -> None:
    webhook = made(api, type="apprise", url="mailtos://user:swordfish@example.com")
    assert (webhook["url"], webhook["secret"]) == ("mailtos://…", None)
    assert "swordfish" not in str(api.get("/api/webhooks"))
    assert "http" in api.post(f"/api/webhooks/{webhook['id']}/rotate", None, 409)["error"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "json://10.0.0.1", "syslog://", "https://example.com", "mailto://"]
)
def test_only_services_elsewhere_are_told_by_apprise(api: Api, url: str) -> None:
    assert "Apprise URL" in refused(api, type="apprise", url=url)


def test_without_the_extra_there_is_no_apprise(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.apprise_urls.find_spec", lambda name: None)
    assert "crawlyard[apprise]" in refused(api, type="apprise", url="slack://a/b/c")


def test_the_api_does_not_load_apprise(api: Api) -> None:
    made(api, type="apprise", url="slack://a/b/c")
    assert "apprise" not in sys.modules


def test_without_a_key_for_secrets_the_operator_is_told_what_to_do(sqlite_url: str) -> None:
    api = Api(sqlite_url, CRAWLYARD_SECRET_KEY="", DATABASE_URL="postgresql://db/crawlyard")
    assert "CRAWLYARD_SECRET_KEY" in api.post("/api/webhooks", BODY, 409)["error"]


def test_an_organisation_has_a_hundred_at_most(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.store.webhooks.MOST", 2)
    made(api)
    made(api)
    assert api.post("/api/webhooks", BODY, 409)["code"] == "CONFLICT"
