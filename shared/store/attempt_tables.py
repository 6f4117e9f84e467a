"""What each attempt brought, and who links to what: beside the hot tables, written once and read by nobody's list."""

from sqlalchemy import Column, Integer, LargeBinary, Table, Text

from shared.store.tables import Big, Code, metadata

task_attempts = Table(
    "task_attempts",
    metadata,
    Column("task_id", Big, primary_key=True, autoincrement=False),
    #: the start that it was (`tasks.run`)
    Column("run", Integer, primary_key=True, autoincrement=False),
    #: `TaskState` that it left its task in
    Column("state", Code, nullable=False),
    Column("started_at", Big),
    Column("ended_at", Big, nullable=False),
    Column("status_code", Integer),
    #: milliseconds
    Column("response_time", Integer),
    Column("error", Text),
    #: headers and phases (shared/answers.py)
    Column("answer", LargeBinary),
    #: name of the process that made it
    Column("worker", Text),
    #: of the second (cache) request that followed, if one was answered
    Column("second_status_code", Integer),
    Column("second_answer", LargeBinary),
)

#: until its job has ended, what each page links to
page_links = Table(
    "page_links",
    metadata,
    Column("task_id", Big, primary_key=True, autoincrement=False),
    #: URL hashes (i64, little-endian)
    Column("targets", LargeBinary, nullable=False),
)

#: of an ended job, who links to a page that failed
link_holders = Table(
    "link_holders",
    metadata,
    Column("task_id", Big, primary_key=True, autoincrement=False),
    Column("n", Integer, nullable=False),
    #: numbers of the first pages that do (u32, little-endian)
    Column("holders", LargeBinary, nullable=False),
)
