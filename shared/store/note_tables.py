"""What a job is warned of, and where its pages were redirected: rare, so beside the hot tables."""

from sqlalchemy import Column, Integer, LargeBinary, Table, Text

from shared.store.tables import Big, Code, metadata

job_warnings = Table(
    "job_warnings",
    metadata,
    Column("job_id", Big, primary_key=True, autoincrement=False),
    #: `WarningKind`
    Column("kind", Code, primary_key=True, autoincrement=False),
    #: the host, or a trap's kind of URL
    Column("subject", Text, primary_key=True),
    Column("message", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("created_at", Big, nullable=False),
)

task_redirects = Table(
    "task_redirects",
    metadata,
    Column("task_id", Big, primary_key=True, autoincrement=False),
    #: JSON: [status code, URL it led to] in order
    Column("hops", Text, nullable=False),
    #: of the answer of each (shared/answers.py)
    Column("headers", LargeBinary),
)
