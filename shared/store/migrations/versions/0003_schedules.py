"""schedules"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WAITING = sa.text("waiting_due IS NOT NULL")


def upgrade() -> None:
    """Applies the change."""
    op.create_table(
        "schedules",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("organisation_id", _BIG, nullable=False),
        sa.Column("domain_id", _BIG, nullable=False),
        sa.Column("cron", sa.Text(), nullable=True),
        sa.Column("interval_hours", sa.Integer(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("overlap", sa.SmallInteger(), nullable=False),
        sa.Column("missed", sa.SmallInteger(), nullable=False),
        sa.Column("jitter", sa.Integer(), nullable=False),
        sa.Column("paused", sa.SmallInteger(), nullable=False),
        sa.Column("next_run_at", _BIG, nullable=True),
        sa.Column("fire_at", _BIG, nullable=True),
        sa.Column("waiting_due", _BIG, nullable=True),
        sa.Column("last_run_at", _BIG, nullable=True),
        sa.Column("last_status", sa.SmallInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_job_id", _BIG, nullable=True),
        sa.Column("created_at", _BIG, nullable=False),
        sa.Column("updated_at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid"),
    )
    op.create_index("schedules_org", "schedules", ["organisation_id", "id"], unique=False)
    op.create_index("schedules_domain", "schedules", ["domain_id"], unique=False)
    op.create_index("schedules_due", "schedules", ["fire_at"], unique=False)
    op.create_index("schedules_waiting", "schedules", ["id"], sqlite_where=_WAITING, postgresql_where=_WAITING)
    op.create_table(
        "schedule_runs",
        sa.Column("schedule_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("due_at", _BIG, autoincrement=False, nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("job_id", _BIG, nullable=True),
        sa.Column("created_at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "due_at"),
    )
    op.create_index("ix_schedule_runs_job_id", "schedule_runs", ["job_id"], unique=False)
    op.create_index("ix_schedule_runs_created_at", "schedule_runs", ["created_at"], unique=False)


def downgrade() -> None:
    """Takes the change back."""
    op.drop_table("schedule_runs")
    op.drop_table("schedules")
