"""The OpenAPI document and the page that shows it."""

import re
from typing import Any

import pytest

from api.routes import ROUTES
from tests.api_kit import Api


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


@pytest.fixture
def document(api: Api) -> Any:
    return api.client.get("/openapi.json").json


def operations(document: Any) -> list[Any]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_the_document_is_openapi_3_1(document: Any) -> None:
    assert document["openapi"] == "3.1.0"


def test_the_document_has_every_rule_of_the_url_map(api: Api, document: Any) -> None:
    rules = {
        (method.lower(), re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in api.app.url_map.iter_rules()
        if " /" in rule.endpoint  # the dashboard's pages are no API
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert rules == {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert len(rules) == len(ROUTES)


def test_operation_ids_are_unique(document: Any) -> None:
    found = [operation["operationId"] for operation in operations(document)]
    assert len(set(found)) == len(found)


def test_every_reference_leads_somewhere(document: Any) -> None:
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', str(document).replace("'", '"')))
    assert names == names & set(document["components"]["schemas"])
    assert "Error" in names


def test_every_placeholder_is_a_described_parameter(document: Any) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            found = [p["name"] for p in operation["parameters"] if p["in"] == "path" and p["description"]]
            assert found == re.findall(r"{(\w+)}", path)


def test_every_query_parameter_is_there_with_its_bounds(document: Any) -> None:
    parameters = {p["name"]: p["schema"] for p in document["paths"]["/v1/jobs/{job_id}/tasks"]["get"]["parameters"]}
    assert set(parameters) == {"job_id", "limit", "offset", "page", "status", "cache", "path", "status_code", "sort"}
    bounds = ("type", "minimum", "maximum", "default")
    assert [parameters["limit"][name] for name in bounds] == ["integer", 1, 200, 50]
    assert len(parameters["sort"]["enum"]) == 20


@pytest.mark.parametrize("status", ["400", "401", "403", "429", "500", "503"])
def test_every_call_with_a_key_documents_its_errors(document: Any, status: str) -> None:
    with_key = [operation for operation in operations(document) if operation["security"]]
    assert len(with_key) == sum(1 for route in ROUTES if route.scope)
    assert all(status in operation["responses"] for operation in with_key)


def test_every_json_answer_has_a_model(document: Any) -> None:
    for operation in operations(document):
        if operation["operationId"] != "get_openapi":
            for response in operation["responses"].values():
                assert all("schema" in media for media in response.get("content", {}).values())


def test_an_answers_field_that_may_be_missing_is_not_required(document: Any) -> None:
    task = document["components"]["schemas"]["TaskResult"]
    assert set(task["properties"]) - set(task["required"]) == {"host"}


def test_the_page_loads_nothing_from_elsewhere(api: Api) -> None:
    page = api.client.get("/docs")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sorted(loaded) == ["/docs/app.js", "/docs/style.css", "/openapi.json"]
    assert all(api.client.get(path).status_code == 200 for path in loaded)
    assert "'unsafe" not in page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_nothing_of_the_page_is_inline(api: Api) -> None:
    assert not re.search(r"<script>|<style>|\son\w+=|style=", api.client.get("/docs").text)
