"""The command group: lazy verbs, errors as one line."""

import signal
from importlib import import_module
from typing import Any

import click

from shared.errors import CrawlyardError, SettingsError

#: verb -> module; each module has the command under the verb's name with `_command` behind it
VERBS = {
    "up": "api.cli.up",
    "crawl": "api.cli.crawl",
    "demo": "api.cli.demo",
    "worker": "api.cli.processes",
    "scheduler": "api.cli.processes",
    "api": "api.cli.processes",
    "migrate": "api.cli.processes",
    "jobs": "api.cli.lists",
    "stats": "api.cli.lists",
    "changes": "api.cli.changes",
    "compare": "api.cli.changes",
    "schedules": "api.cli.schedules",
    "analytics": "api.cli.analytics",
    "webhooks": "api.cli.webhooks",
    "keys": "api.cli.keys",
    "doctor": "api.cli.doctor",
}
INTERRUPTED = 130


class Verbs(click.Group):
    """Imports a verb's module only when it is asked for, and reports our errors without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order that a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb, None for an unknown one."""
        module = VERBS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(module), f"{cmd_name}_command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the verb. SettingsError ends with 2, another error of ours with 1, Ctrl-C with 130."""
        before = signal.signal(signal.SIGTERM, _on_term)
        try:
            return super().invoke(ctx)
        except CrawlyardError as error:
            _complain(error.message)
            ctx.exit(2 if isinstance(error, SettingsError) else 1)
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
