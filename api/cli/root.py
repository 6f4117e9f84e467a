"""The command group: lazy verbs, errors as one line."""

import signal
from importlib import import_module
from typing import Any

import click

from shared.errors import CrawlyardError, Invalid, SettingsError

#: verb -> its module and what `--help` says of it; the module has the command under the verb's name with `_command`
VERBS = {
    "up": ("up", "Run everything here until Ctrl-C: Redis, database, API, workers, scheduler."),
    "crawl": ("crawl", "Crawl a site and sum up what was found."),
    "watch": ("watch", "Show a crawl as it goes, until it ends."),
    "report": ("report", "Sum up a crawl, here or as an HTML file."),
    "top": ("top", "Show queues, workers and crawls live; q or Ctrl-C ends it."),
    "demo": ("demo", "Crawl a small site that this command serves itself."),
    "jobs": ("jobs", "List, show and steer crawls."),
    "compare": ("changes", "Compare a crawl with an earlier one of its domain."),
    "changes": ("changes", "Show what changed on pages between crawls."),
    "domains": ("domains", "List, add, crawl and delete domains."),
    "pages": ("domains", "List, add and crawl single pages of domains."),
    "tasks": ("tasks", "Show tasks by their hash, and the tasks of a run."),
    "schedules": ("schedules", "Crawl sites again and again."),
    "analytics": ("analytics", "Connect a domain to Google Analytics 4, for page views."),
    "webhooks": ("webhooks", "Tell others when a crawl ends or a page has changed."),
    "queue-jobs": ("queue", "List, enqueue and steer single jobs of the queue."),
    "queues": ("queue", "List, pause and resume the queues."),
    "workers": ("queue", "List the workers and what each does."),
    "stats": ("queue", "Show how full the queue is."),
    "keys": ("keys", "Create, list and revoke API keys."),
    "api": ("processes", "Run the HTTP API on PORT."),
    "worker": ("processes", "Run worker processes that crawl."),
    "scheduler": ("processes", "Run the scheduler: delayed and recurring work, clean-up."),
    "migrate": ("processes", "Bring the database to the newest schema."),
    "doctor": ("doctor", "Say what is missing or misconfigured."),
    "health": ("service", "Ask whether the API lives."),
    "ready": ("service", "Ask whether Redis and the database answer."),
    "metrics": ("service", "Print the metrics for Prometheus."),
    "openapi": ("service", "List the routes; --json: the document."),
    "completion": ("completion", "Print the completion script of a shell."),
}
INTERRUPTED = 130


class Verbs(click.Group):
    """Imports a verb's module only when it is asked for, and reports our errors without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order that a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb, None for an unknown one."""
        if cmd_name not in VERBS:
            return None
        module = import_module(f"api.cli.{VERBS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the verbs without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the verb. SettingsError and Invalid end with 2, another error of ours with 1, Ctrl-C with 130."""
        before = signal.signal(signal.SIGTERM, _on_term)
        try:
            return super().invoke(ctx)
        except CrawlyardError as error:
            _complain(error.message)
            ctx.exit(2 if isinstance(error, SettingsError | Invalid) else 1)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        finally:
            signal.signal(signal.SIGTERM, before)


def _on_term(number: int, frame: object) -> None:
    """Ends like Ctrl-C, so that whatever was started is stopped on the way out."""
    raise SystemExit(128 + number)


def _complain(message: str) -> None:
    from api.cli.text import echo

    echo(f"crawlyard: {' '.join(message.split())}", err=True)


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crawlyard", prog_name="crawlyard")
def cli() -> None:
    """Crawls web sites with a queue, workers and an HTTP API."""
