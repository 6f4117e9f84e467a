"""task orders"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAMES = ("task_orders_reopened", "task_orders_deleted")
_REOPENED = "(OLD.n_open = 0 AND OLD.discovering = 0 AND (NEW.n_open <> 0 OR NEW.discovering <> 0))"
#: 2 is OrderState.STALE. No writer can forget it: an order that is used is true
_STALE = "UPDATE task_orders SET state = 2 WHERE job_id = OLD.job_id"


def upgrade() -> None:
    """Applies the change."""
    op.create_table(
        "task_orders",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("job_id", _BIG, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("touched_at", _BIG, nullable=False),
        sa.Column("cells", sa.Text(), server_default="[]", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_task_orders_job_id", "task_orders", ["job_id"], unique=False)
    op.create_table(
        "order_lists",
        sa.Column("order_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("list", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "list"),
    )
    op.create_table(
        "order_parts",
        sa.Column("order_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("list", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("cells", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "list", "no"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _watch_on_postgresql()
    else:
        op.execute(
            f"CREATE TRIGGER {_NAMES[0]} AFTER UPDATE OF n_open, discovering ON job_state WHEN {_REOPENED} BEGIN {_STALE}; END"
        )
        op.execute(f"CREATE TRIGGER {_NAMES[1]} AFTER DELETE ON job_state BEGIN {_STALE}; END")


def _watch_on_postgresql() -> None:
    op.execute(
        f"CREATE FUNCTION stale_task_orders() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_STALE}; RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {_NAMES[0]} AFTER UPDATE OF n_open, discovering ON job_state FOR EACH ROW WHEN {_REOPENED}"
        " EXECUTE FUNCTION stale_task_orders()"
    )
    op.execute(
        f"CREATE TRIGGER {_NAMES[1]} AFTER DELETE ON job_state FOR EACH ROW EXECUTE FUNCTION stale_task_orders()"
    )
    # permutations do not get smaller, and unpacking paths would take longer than searching them
    op.execute("ALTER TABLE order_parts ALTER data SET STORAGE EXTERNAL, ALTER cells SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Takes the change back."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for name in _NAMES:
        op.execute(f"DROP TRIGGER {name}{' ON job_state' if on_postgresql else ''}")
    if on_postgresql:
        op.execute("DROP FUNCTION stale_task_orders")
    for table in ("order_parts", "order_lists", "task_orders"):
        op.drop_table(table)
