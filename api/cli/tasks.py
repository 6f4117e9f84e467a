"""`tasks`: definitions and runs in the task-hash dialect."""

import click

from api.cli.shapes import facts, listing
from api.cli.verbs import Verb, add_verbs, paging

_TASKS = {
    "ID": "id",
    "TASK": "task",
    "STATUS": "status",
    "RESULTS": "last_result",
    "REASON": "done_reason",
    "URL": "params.url",
}


@click.group("tasks")
def tasks_command() -> None:
    """Show tasks by their hash, and the tasks of a run."""


add_verbs(
    tasks_command,
    Verb("show", "GET /v1/tasks/<task_hash>", "Show a task: the hash of a page, or of one execution.", facts),
    Verb(
        "list",
        "GET /v1/runtasks",
        "List the tasks that were executed in a run.",
        listing(_TASKS, "No tasks."),
        (click.argument("run"), *paging(50, 100)),
    ),
)
