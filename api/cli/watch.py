"""`crawlyard watch`: a crawl as it goes."""

from dataclasses import fields
from typing import Any

import click

from api.cli.ending import Ending, blame, conclude, ending_options
from api.cli.following import ENDED, listen
from api.cli.home import connect
from api.cli.progress import make_show
from api.cli.verbs import calls, path_argument, with_options
from shared.settings import Settings


@calls("GET /v1/jobs/<job_id>/events", "GET /v1/jobs/<job_id>")
@click.command("watch")
@path_argument("job_id", "jobs")
@with_options(*ending_options)
@click.pass_context
def watch_command(ctx: click.Context, /, job_id: str, **given: Any) -> None:
    """Show a crawl as it goes, until it ends.

    Ends with 0 completed, 1 failed, 2 wrong usage, 3 completed but a condition of --fail-on holds. Ctrl-C leaves the
    crawl alone.
    """
    ending = Ending(**{field.name: given[field.name] for field in fields(Ending)})
    client = connect(Settings.from_env())
    job = client.get(f"/v1/jobs/{job_id}")
    if job["status"] not in ENDED:
        show = make_show(err=ending.as_json)
        try:
            job = listen(client, job["id"], show)
        finally:
            show.close()
    status = conclude(client, job, ending)
    ctx.exit(blame(job) or status)
