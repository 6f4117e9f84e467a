"""`crawlyard report`: a crawl summed up, whenever it was."""

from dataclasses import fields
from typing import Any

import click

from api.cli.ending import Ending, conclude, ending_options
from api.cli.home import connect
from api.cli.verbs import calls, path_argument, with_options
from shared.settings import Settings


@calls("GET /v1/jobs/<job_id>", "GET /v1/jobs/<job_id>/tasks", "GET /v1/jobs/<job_id>/export")
@click.command("report")
@path_argument("job_id", "jobs")
@with_options(*ending_options)
@click.pass_context
def report_command(ctx: click.Context, /, job_id: str, **given: Any) -> None:
    """Sum up a crawl, here or as an HTML file."""
    ending = Ending(**{field.name: given[field.name] for field in fields(Ending)})
    client = connect(Settings.from_env())
    ctx.exit(conclude(client, client.get(f"/v1/jobs/{job_id}"), ending))
