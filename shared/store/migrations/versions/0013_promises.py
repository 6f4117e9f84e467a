"""promises: pending tasks that a worker may begin as others of it end"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change: a column that may be empty, so that no row is written anew."""
    op.add_column("job_state", sa.Column("promised", sa.Text()))


def downgrade() -> None:
    """Takes the change back."""
    with op.batch_alter_table("job_state") as batch:
        batch.drop_column("promised")
