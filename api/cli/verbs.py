"""Verbs that make one call of the API each: declared in tables, beside the lines that people see of the answer."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

from api.cli.completing import job_ids
from api.cli.text import echo, echo_json
from shared.settings import Settings

if TYPE_CHECKING:
    from api.cli.client import Client

Given = dict[str, Any]
Option = Callable[[Callable[..., Any]], Callable[..., Any]]
C = TypeVar("C", bound=click.Command)

_PLACEHOLDER = re.compile(r"/([a-z-]+)/<([a-z_]+)>")
#: how a part of a path is called in `--help`, by the part before it
_METAVARS = {
    "jobs": "JOB",
    "tasks": "TASK",
    "queues": "QUEUE",
    "domains": "DOMAIN",
    "pages": "PAGE",
    "changes": "CHANGE",
    "schedules": "SCHEDULE",
    "webhooks": "WEBHOOK",
    "deliveries": "DELIVERY",
}
#: the routes that each command calls, as "GET /v1/jobs/<job_id>"
CALLS: dict[click.Command, tuple[str, ...]] = {}

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
domain_option = click.option("--domain", "domainId", metavar="DOMAIN", help="Only of this domain: host or id.")


def paging(limit: int, most: int) -> tuple[Option, ...]:
    """`--limit` and `--page` of a list."""
    return (
        click.option("--limit", type=click.IntRange(1, most), default=limit, show_default=True),
        click.option("--page", type=click.IntRange(1), help="Which page of them; default: the first."),
    )


@dataclass(frozen=True, slots=True)
class Verb:
    """A command that makes one call."""

    name: str
    #: method and path, as in api/routes.py; each part in <> becomes an argument
    route: str
    help: str
    #: what people see of the answer
    lines: Callable[[Given], list[str]]
    #: further options and arguments, each named as the API's parameter or field
    options: Sequence[Option] = ()
    #: what is always sent
    fixed: Mapping[str, Any] = field(default_factory=dict)
    #: makes the query or body of what was given
    build: Callable[[Given], Given] = dict
    #: what people are told of the answer on stderr
    note: Callable[[Given], list[str]] = lambda answer: []


def calls(*routes: str) -> Callable[[C], C]:
    """Says which routes a command of its own making calls."""

    def note(command: C) -> C:
        CALLS[command] = routes
        return command

    return note


def command_of(verb: Verb) -> click.Command:
    """The command of a verb."""

    def run(*, as_json: bool, **given: Any) -> None:
        answer = ask(verb, given)
        if as_json:
            echo_json(answer)
            return
        for line in verb.lines(answer):
            echo(line)
        for line in verb.note(answer):
            echo(line, err=True)

    arguments = [path_argument(name, kind) for kind, name in _PLACEHOLDER.findall(verb.route)]
    decorated = with_options(*arguments, *verb.options, as_json_option)(run)
    return calls(verb.route)(click.command(verb.name, help=verb.help)(decorated))


def with_options(*options: Option) -> Option:
    """All of them in one decorator."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def path_argument(name: str, kind: str) -> Option:
    """An argument that becomes a part of a path after `kind`; `job_id` is a crawl's."""
    completion = job_ids if name == "job_id" else None
    metavar = "HASH" if name == "task_hash" else _METAVARS[kind]
    return click.argument(name, metavar=metavar, callback=_segment, shell_complete=completion)


def add_verbs(group: click.Group, *verbs: Verb) -> None:
    """Adds the commands of the verbs to their group."""
    for verb in verbs:
        group.add_command(command_of(verb))


def ask(verb: Verb, given: Given) -> Given:
    """Makes the call of a verb. Raises as Client does."""
    from api.cli.home import connect

    api = connect(Settings.from_env())
    method, _, path = verb.route.partition(" ")
    path = _PLACEHOLDER.sub(lambda found: _fill(api, found[1], given.pop(found[2])), path)
    if given.get("domainId"):
        given["domainId"] = api.domain_id(given["domainId"])
    return api.call(method, path, {**verb.fixed, **sent(verb.build(given))})


def sent(given: Given) -> Given:
    """What was given, without what was left out."""
    return {name: value for name, value in given.items() if value is not None and value != ()}


def _fill(api: "Client", kind: str, value: str) -> str:
    if kind == "domains":
        value = api.domain_id(value)
    return f"/{kind}/{quote(value, safe='')}"


def _segment(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value.strip() in ("", ".", ".."):
        raise click.BadParameter(f"{value!r} names nothing")
    return value


class DefaultList(click.Group):
    """A group that lists when no verb is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As any group, with `list` for what is missing."""
        if ctx.resilient_parsing:  # a shell that completes: the verb is still to come
            return super().parse_args(ctx, args)
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)
