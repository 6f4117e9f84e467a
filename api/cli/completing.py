"""What a shell completes that only the running system knows."""

import click
from click.shell_completion import CompletionItem

from shared.errors import CrawlyardError
from shared.relay import plain

_MOST = 50


def job_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The newest jobs whose id begins so; none where no system answers at once."""
    from api.cli.home import connect
    from shared.settings import Settings

    try:
        client = connect(Settings.from_env())
        if not client.answers():
            return []
        jobs = client.get("/v1/jobs", limit=_MOST)["jobs"]
    except (CrawlyardError, KeyError):
        return []
    found = [job for job in jobs if str(job["id"]).startswith(incomplete)]
    return [CompletionItem(job["id"], help=plain(f"{job['domain']} {job['status']}")) for job in found]
