"""The OpenAPI document and the page that shows it."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from api import examples
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
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
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


def media(document: Any) -> list[tuple[str, Any]]:
    """Every content of a request or an answer, with where it stands."""
    found = []
    for operation in operations(document):
        parts = {**operation["responses"], "body": operation.get("requestBody", {})}
        for part, value in parts.items():
            found += [(f"{operation['operationId']} {part} {kind}", m) for kind, m in value.get("content", {}).items()]
    return found


def test_every_body_and_every_answer_has_an_example(document: Any) -> None:
    assert [where for where, content in media(document) if "example" not in content] == []
    for operation in operations(document):
        assert [
            s for s, answer in operation["responses"].items() if s not in ("204", "304") and not answer["content"]
        ] == []


def test_every_example_is_what_its_schema_says(document: Any) -> None:
    check = FormatChecker()
    for where, content in media(document):
        schema = {**content["schema"], "components": document["components"]}
        errors = Draft202012Validator(schema, format_checker=check).iter_errors(content["example"])
        assert [error.message for error in errors] == [], where


def test_the_examples_of_bodies_are_accepted() -> None:
    for route in ROUTES:
        if route.takes_body:
            route.given.model_validate(examples.body(route.name))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/jobs", ["crawl.page", "550e8400-e29b-41d4-a716-446655440001", "2024-01-15T10:30:12Z"]),
        ("/api/jobs/{id}", ["discover.pages", '"maxAttempts": 3', '{"pagesDiscovered": 8, "pagesAdded": 8}']),
        ("/api/jobs/stats", ['{"waiting": 5, "active": 2, "completed": 150, "failed": 3, "delayed": 0, "total": 7}']),
        ("/v1/runtasks", ["1262f6f99dac7dffb05a513fff0ded77", '"total_results": 138, "last_result": 6']),
        ("/v1/tasks/{task_hash}", ["c5e29d2aba8b77cdc56391e7405302de", "2025-02-04T10:26:52.310738Z"]),
    ],
)
def test_the_seeds_examples_are_in_the_document(document: Any, path: str, words: list[str]) -> None:
    example = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert [word for word in words if word not in json.dumps(example)] == []


def test_the_page_loads_nothing_from_elsewhere(api: Api) -> None:
    page = api.client.get("/docs")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sorted(loaded) == ["/docs/app.js", "/docs/style.css", "/openapi.json", "/static/icon.svg"]
    assert all(api.client.get(path).status_code == 200 for path in loaded)
    assert "'unsafe" not in page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_nothing_of_the_page_is_inline(api: Api) -> None:
    assert not re.search(r"<script>|<style>|\son\w+=|style=", api.client.get("/docs").text)
