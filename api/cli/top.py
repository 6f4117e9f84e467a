"""`crawlyard top`: queues, workers and running crawls, live."""

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from api.cli.client import Client
from api.cli.home import connect
from api.cli.keyboard import Keyboard, keyboard
from api.cli.text import echo, echo_json
from api.cli.topview import Look, View, take
from api.cli.verbs import calls
from shared.errors import Unavailable
from shared.relay import plain
from shared.settings import Settings


@calls("GET /api/jobs/stats", "GET /api/queues", "GET /api/workers", "GET /v1/jobs")
@click.command("top")
@click.option("--interval", type=click.FloatRange(0.2, 60), default=2.0, show_default=True, help="Seconds.")
@click.option("--once", is_flag=True, help="Print it once; the default where stdout is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answers, once.")
def top_command(interval: float, once: bool, as_json: bool) -> None:
    """Show queues, workers and crawls live; q or Ctrl-C ends it."""
    client = connect(Settings.from_env())
    if as_json:
        echo_json(take(client).document())
    elif once or not sys.stdout.isatty():
        for line in View(client.url).lines(take(client), time.monotonic()):
            echo(line)
    else:
        with keyboard(sys.stdin) as keys:
            _live(client, interval, keys)


def _live(client: Client, interval: float, keys: Keyboard) -> None:
    """Refreshes the whole screen until q or Ctrl-C; whatever ends it, the terminal is as it was."""
    from rich.console import Console
    from rich.live import Live

    view = View(client.url)
    view.is_live = True
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                live.update(_screen(_lines(view, lambda: take(client))), refresh=True)
                if keys.pressed("qQ", interval):
                    return
        except KeyboardInterrupt:
            return


def _lines(view: View, look: Callable[[], Look]) -> list[str]:
    try:
        return view.lines(look(), time.monotonic())
    except Unavailable as error:  # it may come back
        return view.away(error.message)


def _screen(lines: list[str]) -> Any:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis")
    for line in lines:
        text.append(plain(line) + "\n", style="bold" if line and not line.startswith(" ") else "")
    return text
