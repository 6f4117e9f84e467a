"""Where a job's options are kept: the oldest in columns, the others in one JSON text, long lists in a table."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Column, Connection, Table, Text, insert, select

from shared.models import JobOptions
from shared.states import JobMode
from shared.store.engine import Store
from shared.store.tables import Big, metadata

#: the URLs that are a whole job: only its discovery reads them
job_seeds = Table(
    "job_seeds",
    metadata,
    Column("job_id", Big, primary_key=True, autoincrement=False),
    #: JSON
    Column("urls", Text, nullable=False),
)

#: option by column
_COLUMNS = {
    "mode": "mode",
    "use_sitemap": "use_sitemap",
    "find_links": "find_links",
    "cross_subdomain": "allow_cross_subdomain_links",
    "respect_robots": "respect_robots",
    "max_pages": "max_pages",
    "concurrency": "concurrency",
    "source_type": "source_type",
    "source_detail": "source_detail",
    "max_depth": "max_depth",
    "sealed": "sealed",
}
_FLAGS = frozenset({"use_sitemap", "find_links", "cross_subdomain", "respect_robots"})
_ELSEWHERE = frozenset({*_COLUMNS.values(), "urls"})


def columns(options: JobOptions) -> dict[str, Any]:
    """The columns of `jobs` that hold the options."""
    values = {column: getattr(options, name) for column, name in _COLUMNS.items()}
    rest = {name: value for name, value in options.as_dict().items() if name not in _ELSEWHERE}
    if options.urls:
        rest["url_count"] = len(options.urls)
    flags = {column: int(values[column]) for column in _FLAGS}
    return values | flags | {"options": orjson.dumps(rest).decode() if rest else None}


def read(row: Any) -> JobOptions:
    """The options in a row of `jobs`, without the URLs that `seeds` reads."""
    values = {name: getattr(row, column) for column, name in _COLUMNS.items()}
    flags = {_COLUMNS[column]: bool(getattr(row, column)) for column in _FLAGS}
    return JobOptions(**values | flags | {"mode": JobMode(row.mode), **_parsed(row.options)})


@lru_cache(maxsize=256)
def _parsed(text: str | None) -> Mapping[str, Any]:
    """A worker loads a job with each batch of its tasks."""
    stored: dict[str, Any] = orjson.loads(text) if text else {}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}


def add_seeds(conn: Connection, job_no: int, urls: Sequence[str]) -> None:
    """Keeps the URLs that are a whole job."""
    if urls:
        conn.execute(insert(job_seeds).values(job_id=job_no, urls=orjson.dumps(urls).decode()))


def seeds(store: Store, job_no: int) -> list[str]:
    """The URLs that are a whole job, none for any other job."""
    with store.read() as conn:
        text = conn.execute(select(job_seeds.c.urls).where(job_seeds.c.job_id == job_no)).scalar()
    found: list[str] = orjson.loads(text) if text else []
    return found
