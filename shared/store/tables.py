"""The tables. Times are integer microseconds UTC, states are codes (`shared.states`)."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

#: a 64-bit rowid on SQLite, bigint elsewhere
Big = BigInteger().with_variant(Integer, "sqlite")
Code = SmallInteger
_PAUSED = "paused_at IS NOT NULL"

organisations = Table(
    "organisations",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("uid", String(36), nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", Big, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organisation_id", Big, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big),
    Column("revoked_at", Big),
    Column("last_used_at", Big),
)

domains = Table(
    "domains",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("uid", String(36), nullable=False, unique=True),
    Column("ms", Big, nullable=False, unique=True),
    Column("organisation_id", Big, nullable=False),
    Column("host", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    UniqueConstraint("organisation_id", "host", name="domains_uq"),
)

pages = Table(
    "pages",
    metadata,
    Column("domain_id", Big, primary_key=True, autoincrement=False),
    Column("url_hash", Big, primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("last_task_id", Big),
    Column("status_code", Integer),
    Column("crawled_at", Big),
    Column("title", Text),
    Column("content_hash", Text),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("removed_at", Big),
    #: of its newest snapshot (workers/changes.py)
    Column("fingerprint", Text),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("organisation_id", Big, nullable=False),
    Column("domain_id", Big, nullable=False),
    Column("mode", Code, nullable=False),
    Column("origin", Text),
    Column("use_sitemap", Code, nullable=False),
    Column("find_links", Code, nullable=False),
    Column("cross_subdomain", Code, nullable=False),
    Column("respect_robots", Code, nullable=False),
    Column("max_pages", Integer, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("source_type", Text, nullable=False),
    Column("source_detail", Text, nullable=False),
    #: JSON: the options without a column of their own that differ from the defaults
    Column("options", Text),
    #: null: no limit
    Column("max_depth", Code),
    #: headers, cookies and credentials, encrypted (shared/vault.py)
    Column("sealed", Text),
    Column("state", Code, nullable=False),
    Column("error", Text),
    Column("created_at", Big, nullable=False),
    Column("started_at", Big),
    Column("completed_at", Big),
    Column("cancelled_at", Big),
    #: since when nothing of it is started; null: it is not paused
    Column("paused_at", Big),
    Index("jobs_org", "organisation_id", "id"),
    Index("jobs_domain", "domain_id", "id"),
    Index("jobs_active", "id", sqlite_where=text("state IN (3, 5)"), postgresql_where=text("state IN (3, 5)")),
    Index("jobs_paused", "id", sqlite_where=text(_PAUSED), postgresql_where=text(_PAUSED)),
    # a number is never given again: it is in task ids, and workers remember by it what a job has found
    sqlite_autoincrement=True,
)

#: the hot row of a job, locked late in each step; jobs itself is only written on a change of state
job_state = Table(
    "job_state",
    metadata,
    Column("job_id", Big, primary_key=True, autoincrement=False),
    #: next dense sequence number of a task
    Column("next_seq", Big, nullable=False),
    #: pages admitted, what max_pages bounds
    Column("n_pages", Big, nullable=False),
    #: page tasks not ended
    Column("n_open", Big, nullable=False),
    #: page tasks queued, delayed or running
    Column("n_inflight", Integer, nullable=False),
    #: most of them at once
    Column("window", Integer, nullable=False),
    #: 1 until discovery ended
    Column("discovering", Code, nullable=False),
    #: JSON: which pending tasks are promised to which worker (shared/store/promises.py)
    Column("promised", Text),
)

tasks = Table(
    "tasks",
    metadata,
    #: job << 32 | seq; seq 1 is the job's discovery
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("job_id", Big, nullable=False),
    Column("url_hash", Big, nullable=False),
    Column("kind", Code, nullable=False),
    Column("state", Code, nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    #: scheme://host[:port], only where it differs from the job's
    Column("origin", Text),
    Column("path", Text, nullable=False),
    Column("source_type", Code, nullable=False),
    #: the task whose page held the link
    Column("source_id", Big),
    #: links from the start; null for a job's first task and for tasks older than the column
    Column("depth", Code),
    #: finished attempts
    Column("attempts", Code, nullable=False, server_default="0"),
    Column("max_attempts", Code, nullable=False, server_default="3"),
    #: starts, the fencing token of the newest one
    Column("run", Integer, nullable=False, server_default="0"),
    #: times its worker died under it
    Column("crashes", Code, nullable=False, server_default="0"),
    Column("next_attempt_at", Big),
    Column("claimed_until", Big),
    Column("status_code", Integer),
    Column("cache_status", Code),
    Column("second_cache_status", Code),
    Column("response_time", Integer),
    Column("second_response_time", Integer),
    Column("bytes", Big),
    #: discovery: pages found and pages new to the domain
    Column("links_found", Integer),
    Column("links_added", Integer),
    Column("documents", Integer),
    Column("pv7", Integer),
    Column("pv28", Integer),
    Column("pv180", Integer),
    Column("content_type", Text),
    Column("error", Text),
    Column("created_at", Big, nullable=False),
    Column("queued_at", Big),
    Column("started_at", Big),
    Column("completed_at", Big),
)

rollup = Table(
    "rollup",
    metadata,
    Column("job_id", Big, primary_key=True, autoincrement=False),
    Column("state", Code, primary_key=True, autoincrement=False),
    #: 0 and 0: none
    Column("status_code", Integer, primary_key=True, autoincrement=False),
    Column("cache_status", Code, primary_key=True, autoincrement=False),
    Column("n", Big, nullable=False),
    #: how many of the n have a response time
    Column("n_timed", Big, nullable=False),
    Column("sum_time", Big, nullable=False),
    Column("sum_bytes", Big, nullable=False),
    #: pages over three seconds
    Column("n_slow", Big, nullable=False),
)

histogram = Table(
    "histogram",
    metadata,
    Column("job_id", Big, primary_key=True, autoincrement=False),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("n", Big, nullable=False),
)

deltas = Table(
    "deltas",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("job_id", Big, nullable=False, index=True),
    Column("payload", Text, nullable=False),
)

#: an ended job's sorted task numbers, made once so that no read sorts (shared/store/orders.py)
task_orders = Table(
    "task_orders",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("job_id", Big, nullable=False, index=True),
    #: `OrderState`; triggers on job_state make it stale when its job goes on or is deleted
    Column("state", Code, nullable=False),
    #: newest sign of life of the one who builds it
    Column("touched_at", Big, nullable=False),
    #: JSON: the [state, status_code, cache_status] behind each cell number
    Column("cells", Text, nullable=False, server_default="[]"),
)

order_lists = Table(
    "order_lists",
    metadata,
    Column("order_id", Big, primary_key=True, autoincrement=False),
    #: `orders.list_no`
    Column("list", Code, primary_key=True, autoincrement=False),
    #: cell after cell, how many tasks of it each part holds (u32)
    Column("counts", LargeBinary, nullable=False),
)

order_parts = Table(
    "order_parts",
    metadata,
    Column("order_id", Big, primary_key=True, autoincrement=False),
    Column("list", Code, primary_key=True, autoincrement=False),
    Column("no", Integer, primary_key=True, autoincrement=False),
    #: task numbers in order (u32), only the first where they follow each other; or what else is kept of each
    Column("data", LargeBinary, nullable=False),
    #: each one's cell number (u8)
    Column("cells", LargeBinary, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("organisation_id", Big, primary_key=True, autoincrement=False),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer),
    Column("body", Text),
    Column("created_at", Big, nullable=False, index=True),
)


# A partial index is only used for a condition with the same literals, so queries use these texts.
IS_PENDING = text("tasks.state = 3")
IS_DELAYED = text("tasks.state = 5")
IS_FAILED = text("tasks.state = 2")
IS_IN_FLIGHT = text("tasks.state IN (4, 5, 6)")


def _partial(name: str, condition: str, *columns: ColumnElement[Any]) -> None:
    Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


Index("tasks_uq", tasks.c.job_id, tasks.c.url_hash, unique=True)
_partial("tasks_pending", "state = 3", tasks.c.job_id, tasks.c.priority.desc(), tasks.c.id)
_partial("tasks_delayed", "state = 5", tasks.c.next_attempt_at)
_partial("tasks_failed", "state = 2", tasks.c.job_id, tasks.c.id)
_partial("tasks_inflight", "state IN (4, 5, 6)", tasks.c.job_id, tasks.c.state)
