"""`--fail-on`: what a crawl must not have found, for pipelines."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from api.cli.client import ApiError, Client
from api.cli.text import echo

#: exit status of a completed crawl that a condition holds for
MET = 3
_LIMIT = re.compile(r"[1-9][0-9]{0,8}").fullmatch


@dataclass(frozen=True, slots=True)
class Condition:
    """One word of `--fail-on`."""

    name: str
    #: from so many pages on; for `slow` the milliseconds that a page may take
    limit: int


class FailOn(click.ParamType[Any]):
    """Words with commas between them, each at most once: `broken,slow=3000`."""

    name = "conditions"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Condition, ...]:
        """The conditions. Raises click.BadParameter for an unknown word, a second one, or a wrong number."""
        if isinstance(value, tuple):
            return value
        found = tuple(self._condition(word.strip(), param, ctx) for word in value.split(","))
        if len({condition.name for condition in found}) < len(found):
            self.fail("each condition at most once", param, ctx)
        return found

    def _condition(self, word: str, param: click.Parameter | None, ctx: click.Context | None) -> Condition:
        name, mark, number = word.partition("=")
        if name not in CONDITIONS:
            self.fail(f"{name[:50]!r} is none of {', '.join(CONDITIONS)}", param, ctx)
        if mark and not _LIMIT(number):
            self.fail(f"{word[:50]!r} needs a whole number from 1 to 999999999", param, ctx)
        return Condition(name, int(number) if mark else 3000 if name == "slow" else 1)


@dataclass(frozen=True, slots=True)
class Found:
    """What the API says of an ended crawl."""

    client: Client
    job: Mapping[str, Any]
    summary: Mapping[str, Any]


def fail_on_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--fail-on`."""
    help_text = (
        "End with 3 where the crawl found this: broken[=PAGES], failed[=PAGES] (without an answer, or 5xx), slow[=MS], "
        "changed[=PAGES], uncached[=PAGES], warnings[=COUNT]; with commas."
    )
    return click.option("--fail-on", type=FailOn(), default=(), metavar="CONDITIONS", help=help_text)(command)


def judge(found: Found, conditions: tuple[Condition, ...]) -> int:
    """The exit status of a completed crawl, 0 or 3; says on stderr which conditions hold. Raises as Client does."""
    status = 0
    for condition in conditions:
        text = CONDITIONS[condition.name](found, condition.limit)
        if text is not None:
            echo(f"crawlyard: --fail-on {condition.name}: {text}", err=True)
            status = MET
    return status


def _broken(found: Found, limit: int) -> str | None:
    return _pages(_failed(found), limit, "broken")


def _without_answer(found: Found, limit: int) -> str | None:
    refused = sum(n for code, n in found.summary["by_status_code"].items() if code.startswith("4"))
    return _pages(max(0, _failed(found) - refused), limit, "failed without an answer or with 5xx")


def _failed(found: Found) -> int:
    return int(found.summary["by_status"].get("failed", 0))


def _slow(found: Found, limit: int) -> str | None:
    slowest = max(_slowest(found, limit), default=None)
    return None if slowest is None else f"{slowest[1]} took {slowest[0]} ms, over {limit}"


def _slowest(found: Found, limit: int) -> Iterator[tuple[int, str]]:
    """The slowest page over the limit of those asked twice, and of the others: the second time is what counts."""
    for name in ("second_response_time", "response_time"):
        for task in found.client.all_tasks(found.job["id"], sort=f"-{name}"):
            if (task[name] or 0) <= limit:
                break
            if name == "second_response_time" or task["second_response_time"] is None:
                yield task[name], task["url"]
                break


def _changed(found: Found, limit: int) -> str | None:
    try:
        answer = found.client.get(f"/v1/jobs/{found.job['id']}/compare", kind="changed", limit=1)
    except ApiError as error:
        if error.status != 409:
            raise
        echo(f"--fail-on changed: {error.message}", err=True)
        return None
    return _pages(answer["summary"]["changed"], limit, "changed")


def _uncached(found: Found, limit: int) -> str | None:
    answer = found.client.tasks(found.job["id"], cache="miss", limit=1)
    return _pages(answer["pagination"]["total"], limit, "not from a cache (MISS or EXPIRED)")


def _warnings(found: Found, limit: int) -> str | None:
    told = found.job.get("warnings") or []
    return "; ".join(str(warning["message"]) for warning in told) if len(told) >= limit else None


def _pages(count: int, limit: int, what: str) -> str | None:
    return f"{count} {'page is' if count == 1 else 'pages are'} {what}" if count >= limit else None


#: by word: what there is to say where it holds, else None
CONDITIONS: Mapping[str, Callable[[Found, int], str | None]] = {
    "broken": _broken,
    "failed": _without_answer,
    "slow": _slow,
    "changed": _changed,
    "uncached": _uncached,
    "warnings": _warnings,
}
