"""The HTTP API and the command line. Builds on `shared`; never loads `workers` or `scheduler`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from shared.queue import TaskQueue
    from shared.settings import Settings
    from shared.store import Store


def create_app(settings: "Settings", store: "Store | None" = None, queue: "TaskQueue | None" = None) -> "Flask":
    """The HTTP API. Connects to nothing before the first request."""
    # the command line shares this package and must not wait for Flask
    from api.app import build

    return build(settings, store, queue)
