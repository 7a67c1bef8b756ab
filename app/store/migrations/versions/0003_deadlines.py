"""Jobs without a deadline of their own: their worker keeps it, and who does not give a sign of life loses them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Drop the column."""
    op.drop_column("jobs", "deadline_at")


def downgrade() -> None:
    """Add it again."""
    op.add_column("jobs", sa.Column("deadline_at", sa.Double))
