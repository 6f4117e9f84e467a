"""The tables of recurring crawls. Times are integer microseconds UTC."""

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from shared.store.tables import Big, Code, metadata

schedules = Table(
    "schedules",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("uid", String(36), nullable=False, unique=True),
    Column("organisation_id", Big, nullable=False),
    Column("domain_id", Big, nullable=False),
    #: one of the two
    Column("cron", Text),
    Column("interval_hours", Integer),
    Column("timezone", Text, nullable=False),
    #: JSON: the crawl's options as they were given, by name
    Column("options", Text, nullable=False),
    Column("overlap", Code, nullable=False),
    Column("missed", Code, nullable=False),
    #: seconds
    Column("jitter", Integer, nullable=False),
    Column("paused", Code, nullable=False),
    #: when the next run is due, which names that run; null while paused
    Column("next_run_at", Big),
    #: when it is started: that and its jitter
    Column("fire_at", Big),
    #: the run that waits for the last one to end
    Column("waiting_due", Big),
    Column("last_run_at", Big),
    Column("last_status", Code),
    Column("last_error", Text),
    Column("last_job_id", Big),
    Column("created_at", Big, nullable=False),
    Column("updated_at", Big, nullable=False),
    Index("schedules_org", "organisation_id", "id"),
    Index("schedules_domain", "domain_id"),
    Index("schedules_due", "fire_at"),
    Index(
        "schedules_waiting",
        "id",
        sqlite_where=text("waiting_due IS NOT NULL"),
        postgresql_where=text("waiting_due IS NOT NULL"),
    ),
)

#: one row a due time: what makes each run happen once
schedule_runs = Table(
    "schedule_runs",
    metadata,
    Column("schedule_id", Big, primary_key=True, autoincrement=False),
    Column("due_at", Big, primary_key=True, autoincrement=False),
    #: `RunStatus`
    Column("status", Code, nullable=False),
    #: due times that this run stands for after an outage
    Column("missed", Integer, nullable=False),
    Column("job_id", Big, index=True),
    Column("created_at", Big, nullable=False, index=True),
)
