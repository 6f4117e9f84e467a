"""operations: paused jobs and queues, and whose a start of a task is"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change. Both columns are nullable: no row is rewritten."""
    op.add_column("jobs", sa.Column("paused_at", sa.BigInteger()))
    paused = sa.text("paused_at IS NOT NULL")
    op.create_index("jobs_paused", "jobs", ["id"], sqlite_where=paused, postgresql_where=paused)
    op.create_table(
        "paused_queues",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    """Takes the change back."""
    op.drop_table("paused_queues")
    op.drop_index("jobs_paused", "jobs")
    op.drop_column("jobs", "paused_at")
