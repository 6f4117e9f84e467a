"""answers: who made an attempt, what its second request was answered, and what redirects said"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("task_attempts", "worker", sa.Text()),
    ("task_attempts", "second_status_code", sa.Integer()),
    ("task_attempts", "second_answer", sa.LargeBinary()),
    ("task_redirects", "headers", sa.LargeBinary()),
)


def upgrade() -> None:
    """Applies the change: columns that may be empty, so that no row is written anew."""
    for table, name, kind in _COLUMNS:
        op.add_column(table, sa.Column(name, kind))


def downgrade() -> None:
    """Takes the change back."""
    for table, name, _ in reversed(_COLUMNS):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(name)
