"""changes"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Applies the change."""
    op.add_column("pages", sa.Column("fingerprint", sa.Text()))
    _create_snapshots()
    op.create_table(
        "snapshot_texts",
        sa.Column("domain_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("used_at", _BIG, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "hash"),
    )
    op.create_index("ix_snapshot_texts_used_at", "snapshot_texts", ["used_at"])
    _create_changes()
    op.create_table(
        "change_settings",
        sa.Column("domain_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("updated_at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("domain_id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # they are compressed already
        op.execute("ALTER TABLE snapshot_texts ALTER data SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE changes ALTER diff SET STORAGE EXTERNAL")


def _create_snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("domain_id", _BIG, nullable=False),
        sa.Column("url_hash", _BIG, nullable=False),
        sa.Column("task_id", _BIG, nullable=False),
        sa.Column("created_at", _BIG, nullable=False),
        sa.Column("superseded_at", _BIG),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("redirect", sa.Text()),
        sa.Column("title", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("canonical", sa.Text()),
        sa.Column("headings", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary()),
        sa.Column("note", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("snapshots_page", "snapshots", ["domain_id", "url_hash", "id"])
    op.create_index("snapshots_text", "snapshots", ["domain_id", "text_hash"])
    _create_partial("snapshots_superseded", ["superseded_at"], "superseded_at IS NOT NULL")
    _create_partial("snapshots_noted", ["domain_id", "id"], "note IS NOT NULL")


def _create_partial(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "snapshots", columns, sqlite_where=where, postgresql_where=where)


def _create_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("organisation_id", _BIG, nullable=False),
        sa.Column("domain_id", _BIG, nullable=False),
        sa.Column("url_hash", _BIG, nullable=False),
        sa.Column("task_id", _BIG, nullable=False),
        sa.Column("job_ms", _BIG, nullable=False),
        sa.Column("created_at", _BIG, nullable=False),
        sa.Column("types", sa.Integer(), nullable=False),
        sa.Column("similarity", sa.Integer()),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("diff", sa.LargeBinary()),
        sa.Column("truncated", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_changes_task_id", "changes", ["task_id"])
    op.create_index("changes_org", "changes", ["organisation_id", "id"])
    op.create_index("changes_domain", "changes", ["domain_id", "id"])
    op.create_index("changes_page", "changes", ["domain_id", "url_hash", "id"])
    op.create_index("changes_age", "changes", ["created_at"])


def downgrade() -> None:
    """Takes the change back."""
    for table in ("change_settings", "changes", "snapshot_texts", "snapshots"):
        op.drop_table(table)
    op.drop_column("pages", "fingerprint")
