"""Tables of page views: whom to ask for each domain, what was answered, and which jobs have it."""

from sqlalchemy import Column, Index, Integer, SmallInteger, Table, Text

from shared.store.tables import Big, metadata

analytics = Table(
    "analytics",
    metadata,
    Column("domain_id", Big, primary_key=True, autoincrement=False),
    Column("property_id", Text, nullable=False),
    Column("client_email", Text, nullable=False),
    #: the service account's key, sealed (shared/vault.py)
    Column("sealed", Text, nullable=False),
    #: `AnalyticsState`
    Column("state", SmallInteger, nullable=False),
    #: readable reason of a state that is not READY
    Column("error", Text),
    #: fencing token: claims and starts so far
    Column("run", Integer, nullable=False),
    #: refreshes in a row that did not reach an answer
    Column("failures", Integer, nullable=False),
    #: which rows of page_views are true; 0: none yet
    Column("version", Big, nullable=False),
    Column("n_pages", Integer, nullable=False),
    #: JSON: what the last answer said of the property's quota
    Column("quota", Text),
    Column("created_at", Big, nullable=False),
    Column("refreshed_at", Big),
    #: when to refresh next
    Column("next_at", Big, nullable=False),
    #: a refresh is queued or running until then
    Column("claimed_until", Big, nullable=False),
    #: jobs up to this number need no look any more
    Column("settled_job", Big, nullable=False),
    Index("analytics_due", "next_at"),
)

page_views = Table(
    "page_views",
    metadata,
    Column("domain_id", Big, primary_key=True, autoincrement=False),
    Column("version", Big, primary_key=True, autoincrement=False),
    Column("url_hash", Big, primary_key=True, autoincrement=False),
    Column("v7", Integer, nullable=False),
    Column("v28", Integer, nullable=False),
    Column("v180", Integer, nullable=False),
)

#: how far the figures have been copied into a job's tasks
job_views = Table(
    "job_views",
    metadata,
    Column("job_id", Big, primary_key=True, autoincrement=False),
    Column("version", Big, nullable=False),
    #: number of the last task that was looked at; the copy is complete where the job had ended
    Column("seq", Big, nullable=False),
    Column("complete", SmallInteger, nullable=False),
)
