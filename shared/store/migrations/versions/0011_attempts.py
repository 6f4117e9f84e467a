"""attempts: what each brought, and which pages link to what is broken"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change: new tables only, but orders are made anew, with what comparisons read."""
    op.create_table(
        "task_attempts",
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("run", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("status_code", sa.Integer()),
        sa.Column("response_time", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("answer", sa.LargeBinary()),
    )
    op.create_table(
        "page_links",
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("targets", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "link_holders",
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("holders", sa.LargeBinary(), nullable=False),
    )
    op.execute("UPDATE task_orders SET state = 2 WHERE state = 1")


def downgrade() -> None:
    """Takes the change back."""
    for name in ("link_holders", "page_links", "task_attempts"):
        op.drop_table(name)
