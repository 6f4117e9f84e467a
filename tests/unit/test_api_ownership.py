"""Not owned is not found: every route, walked with a second organisation's key."""

import re
from typing import Any

import pytest

from api.route import Route
from api.routes import ROUTES
from shared.clock import now_us
from shared.store import analytics, domains
from tests.api_kit import Api
from tests.ga4 import EMAIL, PROPERTY, key_file
from tests.owned import owned_by_acme

OWNED = [route for route in ROUTES if "<" in route.path and "<name>" not in route.path]


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def ids_of(api: Api) -> dict[str, str]:
    """What `acme` owns, by the start of the path that names it."""
    own = owned_by_acme(api)
    analytics.put(api.store, domains.get(api.store, own.domain, 1), PROPERTY, EMAIL, "sealed", now_us())
    return {
        "/api/schedules": own.schedule,
        "/api/webhooks": own.webhook,
        "<delivery_id>": own.delivery,
        "/v1/jobs": own.job,
        "<task_id>": own.task,
        "/v1/tasks": own.page,
        "/api/jobs": own.task,
        "/api/domains": own.domain,
        "/api/pages": own.page,
        "/api/changes": own.change,
    }


def path_of(route: Route, owned: dict[str, str]) -> str:
    prefix = "/".join(route.path.split("/")[:3])
    return re.sub(r"<\w+>", lambda found: owned.get(found[0], owned[prefix]), route.path)


def body_of(route: Route) -> dict[str, Any]:
    needed = {
        "create_page": {"url": "https://example.com/x"},
        "set_analytics": {"propertyId": PROPERTY, "serviceAccount": key_file()},
    }
    return {"json": needed.get(route.name, {})} if route.takes_body else {}


@pytest.mark.parametrize("route", OWNED, ids=lambda route: f"{route.method} {route.path}")
def test_a_foreign_thing_answers_like_one_that_does_not_exist(api: Api, route: Route) -> None:
    owned, other = ids_of(api), api.key("other")
    missing = dict.fromkeys(owned, "0190a0a0-0000-7000-8000-000000000009")
    foreign, absent = (
        api.call(route.method, path_of(route, which), secret=other, headers={"X-Request-ID": "same"}, **body_of(route))
        for which in (owned, missing)
    )
    assert foreign.status_code == absent.status_code == 404
    assert foreign.data == absent.data


@pytest.mark.parametrize("route", OWNED, ids=lambda route: f"{route.method} {route.path}")
def test_the_owner_is_answered(api: Api, route: Route) -> None:
    answer = api.call(route.method, path_of(route, ids_of(api)), **body_of(route))
    assert answer.status_code in (route.status, 409)


@pytest.mark.parametrize(
    "path", ["/v1/jobs", "/api/jobs", "/api/domains", "/api/webhooks", "/api/schedules", "/api/changes"]
)
def test_lists_hold_ones_own_things_only(api: Api, path: str) -> None:
    ids_of(api)
    answer = api.call("GET", path, secret=api.key("other")).json
    assert (answer.get("jobs"), answer.get("data")) in [([], None), (None, [])]


def test_filters_by_foreign_ids_find_nothing(api: Api) -> None:
    owned, other = ids_of(api), api.key("other")
    for path in (
        f"/v1/runtasks?run={owned['/v1/jobs']}",
        f"/api/jobs?domainId={owned['/api/domains']}",
        f"/api/changes?domainId={owned['/api/domains']}",
        f"/api/changes?pageId={owned['/api/pages']}",
    ):
        assert api.call("GET", path, secret=other).status_code == 404


def test_a_bulk_retry_leaves_other_organisations_alone(api: Api) -> None:
    uid = api.crawl(["/"])
    api.fail(uid, 2)
    answer = api.call("POST", "/api/jobs/retry-failed", json={}, secret=api.key("other"))
    assert answer.json == {"data": {"retried": 0}}
    answer = api.call("POST", "/api/jobs/retry-failed", json={"jobId": uid}, secret=api.key("other"))
    assert answer.status_code == 404
    assert api.get(f"/v1/jobs/{uid}")["status"] == "completed"


@pytest.mark.parametrize("route", [r for r in ROUTES if r.scope], ids=lambda route: f"{route.method} {route.path}")
def test_every_route_but_the_public_ones_needs_a_key(api: Api, route: Route) -> None:
    answer = api.client.open(re.sub(r"<\w+>", "x", route.path), method=route.method, json={})
    assert (answer.status_code, answer.json["code"]) == (401, "UNAUTHORIZED")
