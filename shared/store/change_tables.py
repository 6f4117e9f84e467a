"""The tables of pages' histories."""

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, text

from shared.store.tables import Big, Code, metadata

#: what a page looked like, from one crawl until another look replaced it; the newest one is never deleted
snapshots = Table(
    "snapshots",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("domain_id", Big, nullable=False),
    Column("url_hash", Big, nullable=False),
    Column("task_id", Big, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("superseded_at", Big),
    #: equal to the page's while this is its newest
    Column("fingerprint", Text, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("redirect", Text),
    Column("title", Text),
    Column("description", Text),
    Column("canonical", Text),
    #: JSON
    Column("headings", Text, nullable=False),
    Column("text_hash", LargeBinary),
    #: why the text was not compared as configured
    Column("note", Text),
    Index("snapshots_page", "domain_id", "url_hash", "id"),
    Index("snapshots_text", "domain_id", "text_hash"),
    Index(
        "snapshots_superseded",
        "superseded_at",
        sqlite_where=text("superseded_at IS NOT NULL"),
        postgresql_where=text("superseded_at IS NOT NULL"),
    ),
    Index(
        "snapshots_noted",
        "domain_id",
        "id",
        sqlite_where=text("note IS NOT NULL"),
        postgresql_where=text("note IS NOT NULL"),
    ),
)

#: visible texts of a domain's pages, each once
snapshot_texts = Table(
    "snapshot_texts",
    metadata,
    Column("domain_id", Big, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, primary_key=True),
    #: bytes before compression
    Column("size", Integer, nullable=False),
    Column("used_at", Big, nullable=False, index=True),
    Column("data", LargeBinary, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("organisation_id", Big, nullable=False),
    Column("domain_id", Big, nullable=False),
    Column("url_hash", Big, nullable=False),
    Column("task_id", Big, nullable=False, index=True),
    #: milliseconds of the job's creation: the time in its ids, which outlive it here
    Column("job_ms", Big, nullable=False),
    Column("created_at", Big, nullable=False),
    #: `ChangeType`
    Column("types", Integer, nullable=False),
    #: of the texts, in 1/10000
    Column("similarity", Integer),
    #: JSON
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    #: compressed
    Column("diff", LargeBinary),
    Column("truncated", Code, nullable=False),
    Index("changes_org", "organisation_id", "id"),
    Index("changes_domain", "domain_id", "id"),
    Index("changes_page", "domain_id", "url_hash", "id"),
    Index("changes_age", "created_at"),
)

change_settings = Table(
    "change_settings",
    metadata,
    Column("domain_id", Big, primary_key=True, autoincrement=False),
    #: JSON of `ChangeSettings`
    Column("settings", Text, nullable=False),
    Column("updated_at", Big, nullable=False),
)
