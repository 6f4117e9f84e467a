"""scope"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Applies the change. Columns that may be null rewrite no row, on SQLite nor on PostgreSQL."""
    op.add_column("jobs", sa.Column("options", sa.Text()))
    op.add_column("jobs", sa.Column("max_depth", sa.SmallInteger()))
    op.add_column("jobs", sa.Column("sealed", sa.Text()))
    op.add_column("tasks", sa.Column("depth", sa.SmallInteger()))
    op.create_table(
        "job_seeds",
        sa.Column("job_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("urls", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id"),
    )


def downgrade() -> None:
    """Takes the change back. SQLite drops such columns in place (3.35), which keeps its indexes as they are."""
    op.drop_table("job_seeds")
    op.drop_column("tasks", "depth")
    op.drop_column("jobs", "sealed")
    op.drop_column("jobs", "max_depth")
    op.drop_column("jobs", "options")
