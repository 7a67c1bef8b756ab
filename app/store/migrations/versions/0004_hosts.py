"""Webhook messages with the host that they go to; those that are under way count as going to one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column("deliveries", sa.Column("host", sa.String(255), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("deliveries", "host")
