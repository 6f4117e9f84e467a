"""analytics"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Applies the change."""
    op.create_table(
        "analytics",
        sa.Column("domain_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("property_id", sa.Text(), nullable=False),
        sa.Column("client_email", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.Column("n_pages", sa.Integer(), nullable=False),
        sa.Column("quota", sa.Text()),
        sa.Column("created_at", _BIG, nullable=False),
        sa.Column("refreshed_at", _BIG),
        sa.Column("next_at", _BIG, nullable=False),
        sa.Column("claimed_until", _BIG, nullable=False),
        sa.Column("settled_job", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("domain_id"),
    )
    op.create_index("analytics_due", "analytics", ["next_at"], unique=False)
    op.create_table(
        "page_views",
        sa.Column("domain_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("version", _BIG, autoincrement=False, nullable=False),
        sa.Column("url_hash", _BIG, autoincrement=False, nullable=False),
        sa.Column("v7", sa.Integer(), nullable=False),
        sa.Column("v28", sa.Integer(), nullable=False),
        sa.Column("v180", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "version", "url_hash"),
    )
    op.create_table(
        "job_views",
        sa.Column("job_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("version", _BIG, nullable=False),
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("complete", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("job_id"),
    )


def downgrade() -> None:
    """Takes the change back."""
    for table in ("job_views", "page_views", "analytics"):
        op.drop_table(table)
