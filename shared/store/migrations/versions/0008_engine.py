"""engine"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Applies the change."""
    op.create_table(
        "job_warnings",
        sa.Column("job_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("created_at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "kind", "subject"),
    )
    op.create_table(
        "task_redirects",
        sa.Column("task_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("hops", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.create_table(
        "page_validators",
        sa.Column("domain_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("url_hash", _BIG, autoincrement=False, nullable=False),
        sa.Column("key", _BIG, nullable=False),
        sa.Column("etag", sa.Text()),
        sa.Column("last_modified", sa.Text()),
        sa.Column("content_type", sa.Text()),
        sa.Column("links", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "url_hash"),
    )
    op.create_index("page_validators_age", "page_validators", ["kept_at"])


def downgrade() -> None:
    """Takes the change back."""
    op.drop_table("page_validators")
    op.drop_table("task_redirects")
    op.drop_table("job_warnings")
