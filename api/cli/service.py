"""`health`, `ready`, `metrics`, `openapi`: what a running system says of itself."""

import click

from api.cli.shapes import Answer, facts
from api.cli.text import echo
from api.cli.verbs import Verb, calls, command_of
from shared.settings import Settings


def _paths(answer: Answer) -> list[str]:
    found = answer["paths"].items()
    lines = [f"{method.upper():7} {path}" for path, methods in found for method in methods if method != "parameters"]
    return lines or ["No routes."]


health_command = command_of(Verb("health", "GET /healthz", "Ask whether the API lives.", facts))
ready_command = command_of(Verb("ready", "GET /readyz", "Ask whether Redis and the database answer.", facts))
openapi_command = command_of(Verb("openapi", "GET /openapi.json", "List the routes; --json: the document.", _paths))


@calls("GET /metrics")
@click.command("metrics")
def metrics_command() -> None:
    """Print the metrics for Prometheus."""
    from api.cli.home import connect

    for line in connect(Settings.from_env()).lines("/metrics"):
        echo(line.decode(errors="replace"))
