"""`/healthz` and `/readyz`."""

from typing import Literal

from api.schemas.common import Result


class Health(Result):
    """The process lives."""

    status: Literal["ok"]


class Readiness(Result):
    """Whether requests can be served, and what is away."""

    status: Literal["ok", "unavailable"]
    redis: bool
    database: bool
    migrated: bool
