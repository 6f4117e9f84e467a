"""numbers: those of deleted jobs and webhooks are not given again"""

from typing import Any

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = ("jobs", "webhooks")


def upgrade() -> None:
    """Applies the change. PostgreSQL's sequences never go back; SQLite has to be told, which makes a table anew."""
    _rebuild({"sqlite_autoincrement": True})


def downgrade() -> None:
    """Takes the change back."""
    _rebuild({})


def _rebuild(options: dict[str, Any]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in _TABLES:
            with op.batch_alter_table(name, recreate="always", table_kwargs=options):
                pass
