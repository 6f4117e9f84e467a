"""`/api/domains/{id}/analytics`: what is taken, what is refused and why."""

from typing import Any

import pytest

from tests.api_kit import Api, RecordingQueue
from tests.ga4 import EMAIL, PROPERTY, key_file, private_pem

BODY = {"propertyId": PROPERTY, "serviceAccount": key_file()}


@pytest.fixture
def api(sqlite_url: str) -> Api:
    made = Api(sqlite_url)
    made.submit()
    return made


@pytest.fixture
def path(api: Api) -> str:
    return f"/api/domains/{api.get('/api/domains')['data'][0]['id']}/analytics"


def put(api: Api, path: str, body: Any, expect: int = 200) -> Any:
    answer = api.call("PUT", path, json=body)
    assert answer.status_code == expect, answer.text
    return answer.json


def test_a_connected_domain_is_asked_for_at_once(api: Api, path: str) -> None:
    api.get(path, 404)
    shown = put(api, path, BODY)["data"]
    assert (shown["propertyId"], shown["clientEmail"], shown["state"]) == (PROPERTY, EMAIL, "pending")
    assert shown["domainId"] == path.split("/")[3]
    assert isinstance(api.queue, RecordingQueue)
    assert api.queue.refreshes == [(api.get("/api/domains")["data"][0]["number"], 1)]
    assert api.get(path)["data"] == shown


def test_neither_the_key_nor_its_id_is_shown(api: Api, path: str) -> None:
    put(api, path, BODY)
    for answer in (api.call("GET", path), api.call("POST", f"{path}/refresh", json={}), api.call("DELETE", path)):
        assert answer.status_code in (200, 202)
        assert "PRIVATE KEY" not in answer.text
        assert "0123456789abcdef" not in answer.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"private_key": "x"}, "serviceAccount.private_key"),
        ({"private_key": private_pem().replace("M", "N")}, "serviceAccount.private_key"),
        ({"private_key": 5}, "serviceAccount.private_key"),
        ({"client_email": "nobody"}, "serviceAccount.client_email"),
        ({"type": "authorized_user"}, "serviceAccount.type"),
        ({"token_uri": "https://evil.example/token"}, "serviceAccount.token_uri"),
        ({"token_uri": "http://127.0.0.1/token"}, "serviceAccount.token_uri"),
        ({"universe_domain": "example.org"}, "serviceAccount.universe_domain"),
    ],
)
def test_a_wrong_key_is_named(api: Api, path: str, change: dict[str, Any], field: str) -> None:
    answer = put(api, path, BODY | {"serviceAccount": key_file(**change)}, 400)
    assert answer["code"] == "VALIDATION_ERROR"
    assert [detail["field"] for detail in answer["details"]] == [field]
    assert "PRIVATE" not in answer["error"]
    api.get(path, 404)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["propertyId", "serviceAccount"]),
        (BODY | {"propertyId": "G-ABC123"}, ["propertyId"]),
        (BODY | {"propertyId": 123456789}, ["propertyId"]),
        (BODY | {"propertyId": "1" * 21}, ["propertyId"]),
        (BODY | {"serviceAccount": "{}"}, ["serviceAccount"]),
        (BODY | {"serviceAccount": {}}, ["serviceAccount.client_email", "serviceAccount.private_key"]),
        (BODY | {"days": 7}, ["days"]),
    ],
)
def test_a_wrong_body_is_named(api: Api, path: str, body: Any, fields: list[str]) -> None:
    assert [detail["field"] for detail in put(api, path, body, 400)["details"]] == fields


def test_a_key_can_do_without_what_is_not_needed(api: Api, path: str) -> None:
    put(api, path, {"propertyId": PROPERTY, "serviceAccount": {"client_email": EMAIL, "private_key": private_pem()}})


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_not_connected_is_not_found(api: Api, path: str, method: str) -> None:
    assert api.call(method, path).json["error"] == "Page views are not configured for this domain"
    assert api.call("POST", f"{path}/refresh", json={}).status_code == 404


def test_without_a_place_for_secrets_nothing_is_kept(sqlite_url: str) -> None:
    api = Api(sqlite_url, DATABASE_URL="postgresql://elsewhere/x", CRAWLYARD_SECRET_KEY="")
    api.submit()
    path = f"/api/domains/{api.get('/api/domains')['data'][0]['id']}/analytics"
    assert "CRAWLYARD_SECRET_KEY" in put(api, path, BODY, 409)["error"]
    api.get(path, 404)


def test_reading_needs_no_more_than_read(api: Api, path: str) -> None:
    put(api, path, BODY)
    reader = api.key("acme", {"read"})
    assert api.call("GET", path, secret=reader).status_code == 200
    for method, where in (("PUT", path), ("DELETE", path), ("POST", f"{path}/refresh")):
        assert api.call(method, where, secret=reader, json=BODY if method == "PUT" else {}).status_code == 403
