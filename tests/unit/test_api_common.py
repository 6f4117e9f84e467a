"""What all families have in common: keys, errors, request ids, limits, headers."""

import io
import threading
from typing import Any

import fakeredis
import pytest
from redis import Redis

from api import create_app, public
from shared import logs
from shared.clock import SECOND, now_us
from shared.errors import StoreUnavailable
from shared.settings import Settings
from shared.store import keys, open_store
from tests.api_kit import Api, RecordingQueue

ERROR_FIELDS = ["error", "code", "details", "request_id"]


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def away() -> Redis:
    """A Redis that refuses every connection."""
    server = fakeredis.FakeServer()
    server.connected = False
    return fakeredis.FakeRedis(server=server)


# -- keys ---------------------------------------------------------------------


@pytest.mark.parametrize("form", ["Authorization: Bearer {}", "Authorization: Token {}", "X-API-Key: {}"])
@pytest.mark.parametrize("path", ["/v1/jobs", "/api/jobs"])
def test_a_key_is_accepted_in_three_forms_in_every_family(api: Api, form: str, path: str) -> None:
    name, _, value = form.format(api.secret).partition(": ")
    assert api.client.get(path, headers={name: value}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic YTpi"},
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"X-API-Key": "ü"},
        {"Authorization": "Token " + "x" * 5000},
    ],
)
def test_without_a_valid_key_nothing_is_answered(api: Api, headers: dict[str, str]) -> None:
    answer = api.client.get("/v1/jobs", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_expired_key_is_refused(api: Api) -> None:
    secret = api.key("acme", expires_at=now_us() - SECOND)
    assert api.call("GET", "/v1/jobs", secret=secret).status_code == 401


def test_a_revoked_key_is_refused_once_its_trust_has_run_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.get("/v1/jobs")
    assert keys.revoke(api.store, keys.list_all(api.store)[0].id)
    monkeypatch.setattr("api.auth.TRUST", 0.0)
    api.get("/v1/jobs", 401)


def test_a_known_key_costs_no_look_into_the_store(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.get("/api/jobs/stats")
    monkeypatch.setattr(api.store, "read", lambda: pytest.fail("the store was asked"))
    assert api.get("/api/jobs/stats")["data"]["total"] == 0


def test_without_the_database_a_known_key_still_opens_what_needs_redis_alone(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise StoreUnavailable("away")

    api.get("/api/jobs/stats")
    monkeypatch.setattr("api.auth.TRUST", 0.0)
    monkeypatch.setattr(api.store, "read", away)
    assert api.get("/api/jobs/stats")["data"]["total"] == 0
    monkeypatch.setattr("api.auth.OUTAGE_TRUST", 0.0)
    api.get("/api/jobs/stats", 503)


def test_the_bootstrap_key_is_an_admins_from_the_first_request_on(sqlite_url: str) -> None:
    api = Api(sqlite_url, CRAWLYARD_BOOTSTRAP_KEY="bootstrap-key-0123456789")
    assert api.call("GET", "/api/queues", secret="bootstrap-key-0123456789").status_code == 200


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        ({"read"}, "GET", "/v1/jobs", 200),
        ({"read"}, "POST", "/v1/jobs", 403),
        ({"read"}, "GET", "/api/queues", 403),
        ({"write"}, "GET", "/v1/jobs", 403),
        ({"write"}, "POST", "/v1/jobs", 201),
        ({"read", "write"}, "POST", "/api/jobs/retry-failed", 403),
        ({"read", "write"}, "POST", "/api/queues/crawl/pause", 403),
        ({"read", "write"}, "GET", "/api/workers", 403),
        ({"admin"}, "GET", "/v1/jobs", 200),
        ({"admin"}, "POST", "/v1/jobs", 201),
    ],
)
def test_a_scope_opens_its_calls_only(api: Api, scopes: set[str], method: str, path: str, status: int) -> None:
    body = {"json": {"domain": "example.com"}} if method == "POST" else {}
    answer = api.call(method, path, secret=api.key("acme", scopes), **body)
    assert answer.status_code == status
    assert status != 403 or answer.json["code"] == "FORBIDDEN"


@pytest.mark.parametrize("other", ["", " ", "Bearer", "Bearer wrong", "Token wrong", "Basic YTpi", "x"])
def test_a_valid_key_beside_another_credential_is_refused(api: Api, other: str) -> None:
    answer = api.client.get("/v1/jobs", headers={"X-API-Key": api.secret, "Authorization": other})
    assert answer.status_code == 401


def test_the_same_key_in_two_forms_is_accepted(api: Api) -> None:
    headers = {"X-API-Key": api.secret, "Authorization": f"Token {api.secret}"}
    assert api.client.get("/v1/jobs", headers=headers).status_code == 200


# -- errors -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "kwargs", "status", "code"),
    [
        ("GET", "/nope", {}, 404, "NOT_FOUND"),
        ("GET", "/v1/jobs/", {}, 404, "NOT_FOUND"),
        ("GET", "//v1/jobs", {}, 404, "NOT_FOUND"),
        ("GET", "/v1/jobs/x", {}, 404, "NOT_FOUND"),
        ("PUT", "/v1/jobs", {}, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/api/jobs", {}, 405, "METHOD_NOT_ALLOWED"),
        ("OPTIONS", "/v1/jobs", {}, 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/v1/jobs", {"data": b'{"domain": ', "content_type": "application/json"}, 400, "VALIDATION_ERROR"),
        ("POST", "/v1/jobs", {"data": b"[]", "content_type": "application/json"}, 400, "VALIDATION_ERROR"),
        ("POST", "/v1/jobs", {"data": b'{"domain": NaN}', "content_type": "application/json"}, 400, "VALIDATION_ERROR"),
        ("POST", "/v1/jobs", {"data": b"[" * 90_000, "content_type": "application/json"}, 400, "VALIDATION_ERROR"),
        ("POST", "/v1/jobs", {"data": b'"\xff"', "content_type": "application/json"}, 400, "VALIDATION_ERROR"),
        ("POST", "/v1/jobs", {"data": b""}, 400, "VALIDATION_ERROR"),
        ("POST", "/v1/jobs?x=1", {"json": {"domain": "a.com"}}, 400, "VALIDATION_ERROR"),
        ("POST", "/v1/jobs", {"data": b"domain=a.com"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/v1/jobs", {"data": {"domain": "a.com"}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/v1/jobs", {"data": b" " * 1_000_001, "content_type": "application/json"}, 413, "PAYLOAD_TOO_LARGE"),
        ("POST", "/v1/jobs", {"data": b" " * 3_000_000, "content_type": "application/json"}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_every_error_has_one_shape(
    api: Api, method: str, path: str, kwargs: dict[str, Any], status: int, code: str
) -> None:
    answer = api.call(method, path, **kwargs)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert list(answer.json) == ERROR_FIELDS
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]


def test_a_wrong_method_names_the_right_ones(api: Api) -> None:
    allowed = api.call("PUT", "/v1/jobs").headers["Allow"]
    assert {"GET", "POST"} <= set(allowed.split(", "))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/api/jobs/retry-failed", {"POST"}), ("POST", "/api/jobs/stats", {"GET", "HEAD"})],
)
def test_a_name_beside_ids_has_its_own_methods(api: Api, method: str, path: str, allowed: set[str]) -> None:
    answer = api.call(method, path)
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, allowed)


@pytest.mark.parametrize(("size", "status"), [(999_000, 400), (1_000_001, 413), (5_000_000, 413)])
def test_a_chunked_body_is_bounded_too(api: Api, size: int, status: int) -> None:
    body = b'{"domain": "' + b"x" * (size - 14) + b'"}'
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = api.call(
        "POST", "/v1/jobs", input_stream=io.BytesIO(body), content_type="application/json", environ_overrides=environ
    )
    assert answer.status_code == status


def test_an_unexpected_error_shows_no_trace_and_is_logged(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("shared.store.jobs.page", broken)
    answer = api.call("GET", "/v1/jobs", headers={"X-Request-ID": "r-1"})
    assert (answer.status_code, answer.json["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    assert logs.TextLines("api").format(caplog.records[-1]).count("request_id=r-1") == 1
    assert "secret detail" in caplog.text


def test_a_store_that_is_away_is_a_503_without_its_details(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any) -> None:
        raise StoreUnavailable("The database is away: host db-7 refused")

    monkeypatch.setattr("shared.store.jobs.page", broken)
    answer = api.call("GET", "/v1/jobs")
    assert (answer.status_code, answer.json["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["Retry-After"].isdigit()
    assert "db-7" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/jobs/stats"), ("GET", "/api/queues"), ("GET", "/api/workers"), ("POST", "/v1/jobs")],
)
def test_without_redis_what_needs_it_is_a_503(sqlite_url: str, method: str, path: str) -> None:
    api = Api(sqlite_url, RecordingQueue(away()))
    answer = api.call(method, path, **({"json": {"domain": "a.com"}} if method == "POST" else {}))
    assert (answer.status_code, answer.json["code"]) == (503, "SERVICE_UNAVAILABLE")


def test_without_redis_nothing_is_recorded_and_reads_go_on(sqlite_url: str) -> None:
    api = Api(sqlite_url, RecordingQueue(away()))
    api.post("/v1/jobs", {"domain": "a.com"}, 503)
    assert api.get("/v1/jobs")["pagination"]["total"] == 0


def test_a_job_can_be_cancelled_without_redis(sqlite_url: str) -> None:
    uid = Api(sqlite_url).crawl()
    api = Api(sqlite_url, RecordingQueue(away()))
    assert api.post(f"/v1/jobs/{uid}/cancel")["status"] == "cancelled"


# -- request ids and headers --------------------------------------------------


def test_a_request_id_is_echoed(api: Api) -> None:
    assert api.call("GET", "/v1/jobs", headers={"X-Request-ID": "abc-123"}).headers["X-Request-ID"] == "abc-123"


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a<script>"])
def test_a_strange_request_id_is_replaced(api: Api, given: str) -> None:
    made = api.call("GET", "/v1/jobs", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert made != given
    assert len(made) == 32


@pytest.mark.parametrize("path", ["/v1/jobs", "/nope", "/healthz", "/docs"])
def test_every_answer_has_security_headers(api: Api, path: str) -> None:
    headers = api.call("GET", path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "Access-Control-Allow-Origin" not in headers


# -- ETag ---------------------------------------------------------------------


def test_an_unchanged_resource_is_not_sent_twice(api: Api) -> None:
    uid = api.submit()
    first = api.call("GET", f"/v1/jobs/{uid}")
    again = api.call("GET", f"/v1/jobs/{uid}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_a_changed_resource_is_sent_again(api: Api) -> None:
    uid = api.submit()
    etag = api.call("GET", f"/v1/jobs/{uid}").headers["ETag"]
    api.post(f"/v1/jobs/{uid}/cancel")
    assert api.call("GET", f"/v1/jobs/{uid}", headers={"If-None-Match": etag}).status_code == 200


# -- rate limit ---------------------------------------------------------------


@pytest.mark.parametrize("redis", [fakeredis.FakeRedis, away])
def test_requests_over_the_limit_are_refused_with_or_without_redis(sqlite_url: str, redis: Any) -> None:
    api = Api(sqlite_url, RecordingQueue(redis()), CRAWLYARD_RATE_LIMIT="3")
    answers = [api.call("GET", "/v1/jobs") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert answers[3].json["code"] == "RATE_LIMIT_EXCEEDED"
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
    assert answers[0].headers["RateLimit-Limit"] == "3"


def test_each_key_has_its_own_limit(sqlite_url: str) -> None:
    api = Api(sqlite_url, CRAWLYARD_RATE_LIMIT="1")
    api.get("/v1/jobs")
    assert api.call("GET", "/v1/jobs", secret=api.key("acme")).status_code == 200


def test_a_limit_of_zero_is_none(sqlite_url: str) -> None:
    answer = Api(sqlite_url, CRAWLYARD_RATE_LIMIT="0").call("GET", "/v1/jobs")
    assert (answer.status_code, "RateLimit-Limit" in answer.headers) == (200, False)


# -- idempotency --------------------------------------------------------------

KEY = {"Idempotency-Key": "order-1"}


def test_a_repeated_post_gets_the_first_answer_and_does_nothing(api: Api) -> None:
    first, again = (api.call("POST", "/v1/jobs", json={"domain": "a.com"}, headers=KEY) for _ in range(2))
    assert (first.status_code, again.status_code, again.json) == (201, 201, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert api.get("/v1/jobs")["pagination"]["total"] == 1


def test_another_request_with_the_same_key_is_a_conflict(api: Api) -> None:
    api.post("/v1/jobs", {"domain": "a.com"}, 201, headers=KEY)
    assert api.post("/v1/jobs", {"domain": "b.com"}, 409, headers=KEY)["code"] == "CONFLICT"
    assert api.post("/api/domains", {"domain": "a.com"}, 409, headers=KEY)["code"] == "CONFLICT"


def test_another_organisation_may_use_the_same_key(api: Api) -> None:
    api.post("/v1/jobs", {"domain": "a.com"}, 201, headers=KEY)
    answer = api.call("POST", "/v1/jobs", json={"domain": "b.com"}, headers=KEY, secret=api.key("other"))
    assert answer.status_code == 201


def test_a_request_that_did_nothing_gives_its_key_back(api: Api) -> None:
    api.post("/v1/jobs", {"domain": "a b"}, 400, headers=KEY)
    api.post("/v1/jobs", {"domain": "a.com"}, 201, headers=KEY)


def test_a_second_request_while_the_first_runs_is_a_conflict(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def meanwhile() -> None:
        if not seen:
            seen.append(None)
            seen.append(api.app.test_client().post("/v1/jobs", json={"domain": "a.com"}, headers=headers).status_code)

    headers = KEY | {"Authorization": f"Bearer {api.secret}"}
    monkeypatch.setattr(api.queue, "ping", meanwhile)
    api.post("/v1/jobs", {"domain": "a.com"}, 201, headers=KEY)
    assert seen[1] == 409
    assert api.get("/v1/jobs")["pagination"]["total"] == 1


def test_an_answer_is_forgotten_after_a_day(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.post("/v1/jobs", {"domain": "a.com"}, 201, headers=KEY)
    monkeypatch.setattr("api.idempotency.now_us", lambda: now_us() + 25 * 3600 * SECOND)
    api.post("/v1/jobs", {"domain": "b.com"}, 201, headers=KEY)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_strange_idempotency_key_is_refused(api: Api, key: str) -> None:
    answer = api.post("/v1/jobs", {"domain": "a.com"}, 400, headers={"Idempotency-Key": key})
    assert answer["details"][0]["field"] == "Idempotency-Key"


# -- health -------------------------------------------------------------------


def test_health_and_readiness_need_no_key(api: Api) -> None:
    assert api.client.get("/healthz").json == {"status": "ok"}
    ready = {"status": "ok", "redis": True, "database": True, "migrated": True}
    assert api.client.get("/readyz").json == ready


def test_readiness_says_what_is_away(sqlite_url: str) -> None:
    answer = Api(sqlite_url, RecordingQueue(away())).client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {"status": "unavailable", "redis": False, "database": True, "migrated": True}


def test_a_dependency_that_hangs_is_away_within_a_second(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    hung = threading.Event()
    still_hung: list[bool] = []
    monkeypatch.setattr(api.queue, "ping", lambda: still_hung.append(hung.wait(60)))
    answer = api.client.get("/readyz")
    assert (answer.status_code, answer.json["redis"], answer.json["database"]) == (503, False, True)
    assert not still_hung  # not after it, and how long that may take is no matter of this machine's load
    assert public.PATIENCE <= 0.8
    hung.set()


def test_readiness_notices_missing_migrations(empty_sqlite_url: str) -> None:
    settings = Settings.from_env({})
    app = create_app(settings, open_store(empty_sqlite_url), RecordingQueue(fakeredis.FakeRedis()))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["database"], answer.json["migrated"]) == (503, True, False)
