"""Every route has a verb; every verb shows what its route answers, safely."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from api.cli import following
from api.cli.root import VERBS, cli
from api.cli.scope import crawl_body
from api.cli.verbs import CALLS
from api.routes import ROUTES
from api.schemas.options import Options
from shared.relay import CONTROLS
from tests.pretended import HOSTILE, Pretended, name, poison

ID = "018d0cb5-a3c0-7000-8000-000000000001"
#: pages for browsers and what belongs to them
BROWSER = {"text/html", "text/javascript", "text/css"}
ROOT = Path(__file__).parents[2]
#: verbs that put several answers together
SUMS = ("report", "watch", "top")
ROUTE = {name(route): route for route in ROUTES}
#: what a verb needs beyond its arguments
MORE = {
    "crawl": ["--detach"],
    "queue-jobs create": ["--url", "https://example.com/"],
    "analytics set": ["--property", "1", "--key", "-"],
    "schedules create": ["--every", "6"],
}
VALUES = {"url": "https://example.com/", "domain": "example.com", "name": "crawl"}


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for verb in group.list_commands(context):
        command = group.get_command(context, verb)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{verb} ")
        else:
            yield f"{path}{verb}", command


@cache
def reachable() -> dict[str, click.Command]:
    return dict(commands(cli))


def calling() -> list[str]:
    return [verb for verb, command in reachable().items() if command in CALLS]


def run(verb: str, *args: str) -> Result:
    arguments = [VALUES.get(p.name or "", ID) for p in reachable()[verb].params if isinstance(p, click.Argument)]
    line = [*verb.split(), *arguments, *MORE.get(verb, ()), *args]
    return CliRunner().invoke(cli, line, input="{}", prog_name="crawlyard")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.01)
    return Pretended(monkeypatch)


def test_every_route_has_a_verb() -> None:
    wanted = {name(route) for route in ROUTES if not BROWSER.intersection(route.also)}
    assert wanted - {route for verb in calling() for route in CALLS[reachable()[verb]]} == set()


def test_no_verb_calls_a_route_that_there_is_not() -> None:
    assert {route for verb in calling() for route in CALLS[reachable()[verb]]} <= {name(route) for route in ROUTES}


@pytest.mark.parametrize("verb", list(VERBS))
def test_help_says_of_each_verb_what_the_verb_says_itself(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    assert command.get_short_help_str(200) == VERBS[verb][1]


def test_the_readme_names_every_verb() -> None:
    named = (ROOT / "README.md").read_text().partition("| verb |")[2].partition("\n\n")[0]
    words = set(re.findall(r"[\w-]+", named))
    assert [verb for verb in reachable() if not words.issuperset(verb.split())] == []


@pytest.mark.parametrize("verb", calling())
def test_a_verb_calls_its_routes(api: Pretended, verb: str) -> None:
    api.is_running = verb == "watch"
    result = run(verb)
    assert (result.exit_code, bool(result.stdout.strip())) == (0, True), result.output
    assert CALLS[reachable()[verb]][0] in api.asked


@pytest.mark.parametrize("verb", calling())
def test_no_verb_passes_control_sequences_on(api: Pretended, verb: str) -> None:
    api.is_running, api.change = verb == "watch", poison
    result = run(verb)
    assert result.exit_code == 0, result.output
    assert not [line for line in result.output.splitlines() if CONTROLS.search(line)]


@pytest.mark.parametrize("verb", [verb for verb in calling() if verb not in SUMS and verb != "metrics"])
def test_json_is_exactly_the_answer(api: Pretended, verb: str) -> None:
    api.change = poison
    result = run(verb, "--json")
    assert result.stdout.isascii()
    assert json.loads(result.stdout) == api.answer(ROUTE[CALLS[reachable()[verb]][0]])


def test_help_imports_no_verb() -> None:
    code = "import sys; from api.cli.root import cli; cli(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded.intersection({"requests", "rich", "flask", "sqlalchemy", "redis", "pydantic", "api.cli.verbs"})


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_an_export_holds_no_control_sequences(api: Pretended, form: str, tmp_path: Path) -> None:
    api.change = poison
    assert run("jobs export", "--format", form, "--output", str(tmp_path / "out")).exit_code == 0
    content = (tmp_path / "out").read_bytes().decode()
    assert not [line for line in content.split("\n") if CONTROLS.search(line.removesuffix("\r"))]
    if form == "jsonl":
        assert json.loads(content)["url"].endswith(HOSTILE)


def test_a_domain_may_be_named_by_its_host(api: Pretended) -> None:
    context = {"queue-jobs list": ["--domain", "competitor.com"], "domains show": ["competitor.com"]}
    for verb, arguments in context.items():
        assert CliRunner().invoke(cli, [*verb.split(), *arguments]).exit_code == 0
    unknown = CliRunner().invoke(cli, ["domains", "show", "unknown.example"])
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("name", ["", "..", "."])
def test_an_argument_cannot_lead_to_another_route(api: Pretended, name: str) -> None:
    assert CliRunner().invoke(cli, ["jobs", "cancel", name]).exit_code == 2
    assert api.asked == []


def test_a_slash_stays_in_its_part_of_the_path(api: Pretended) -> None:
    CliRunner().invoke(cli, ["queues", "pause", "a/../../jobs"])
    assert api.asked == ["POST /api/queues/<name>/pause"]


@pytest.mark.parametrize("line", [["jobs"], ["jobs", "--status", "running"], ["queues"], ["webhooks", "--json"]])
def test_a_group_lists_where_no_verb_is_named(api: Pretended, line: list[str]) -> None:
    assert CliRunner().invoke(cli, line).exit_code == 0
    assert len(api.asked) == 1


def test_every_option_of_a_crawl_can_be_given() -> None:
    given: dict[str, Any] = dict.fromkeys(option.name for option in reachable()["crawl"].params)
    switches = {"no_sitemap": True, "links": False, "ignore_robots": True, "transfer_all": True, "same_host": True}
    pairs = {"header": ["a: b"], "cookie": ["a=b"], "auth": "a:b", "query": "drop"}
    texts = {name: ["x"] for name in ("include", "exclude", "urls")}
    body = crawl_body(
        given
        | dict.fromkeys(("max_pages", "concurrency", "max_depth"), 1)
        | switches
        | pairs
        | texts
        | {"sitemap": "x", "user_agent": "x"}
    )
    assert set(Options.model_fields) - set(body) == {"source_type", "source_detail"}


def test_what_is_not_given_is_not_sent(api: Pretended) -> None:
    CliRunner().invoke(cli, ["webhooks", "update", ID, "--description", "x"])
    CliRunner().invoke(cli, ["changes", "configure", ID, "--see-clocks", "--ignore", "a", "--ignore", "b"])
    assert api.sent == [{"description": "x"}, {"ignorePatterns": ("a", "b"), "ignoreClocks": False}]
