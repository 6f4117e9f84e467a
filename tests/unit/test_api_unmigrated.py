"""Before `crawlyard migrate` has run: 503, not 500."""

import re

import fakeredis
import pytest

from api import create_app
from api.route import Route
from api.routes import ROUTES
from shared.errors import StoreUnavailable
from shared.settings import Settings
from shared.store import open_store
from tests.api_kit import RecordingQueue


@pytest.mark.parametrize("route", [route for route in ROUTES if route.scope], ids=lambda route: route.name)
def test_without_its_tables_every_route_is_a_503(empty_sqlite_url: str, route: Route) -> None:
    settings = Settings.from_env({"CRAWLYARD_BOOTSTRAP_KEY": "bootstrap-key-0123456789"})
    app = create_app(settings, open_store(empty_sqlite_url), RecordingQueue(fakeredis.FakeRedis()))
    path = re.sub(r"<\w+>", "01a20308f06c71a080000000001b0000", route.path)
    headers = {"Authorization": "Bearer bootstrap-key-0123456789"}
    answer = app.test_client().open(path, method=route.method, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.json["error"] == "The database schema is not current: run `crawlyard migrate`."
    assert app.test_client().get("/healthz").status_code == 200


@pytest.mark.parametrize("url", ["empty_sqlite_url", "empty_postgres_url"])
@pytest.mark.parametrize("gone", ["SELECT 1 FROM jobs", "SELECT gone FROM known"])
def test_a_missing_table_or_column_is_a_schema_that_is_not_current(
    request: pytest.FixtureRequest, url: str, gone: str
) -> None:
    store = open_store(request.getfixturevalue(url))
    store.write(lambda connection: connection.exec_driver_sql("CREATE TABLE known (id INTEGER)"))
    with pytest.raises(StoreUnavailable, match="not current"), store.read() as connection:
        connection.exec_driver_sql(gone)
    store.close()
