"""Owners, lanes, stored results; API keys, idempotent requests, webhook deliveries, tallies."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _columns() -> dict[str, list[sa.Column[Any]]]:
    """The columns that existing tables get; a column belongs to one statement, so each asks for its own."""
    return {
        "jobs": [
            sa.Column("owner", sa.String(32), nullable=False, server_default=""),
            sa.Column("lane", sa.String(8), nullable=False, server_default="probe"),
            sa.Column("interactive", sa.Boolean, nullable=False, server_default=sa.false()),
            sa.Column("result_key", sa.String(64)),
            sa.Column("callback_url", sa.Text),
            sa.Column("request_id", sa.String(64)),
        ],
        "workers": [
            sa.Column("lanes", sa.JSON, nullable=False, server_default="[]"),
            sa.Column("memory_bytes", sa.BigInteger, nullable=False, server_default="0"),
        ],
    }


_JOB_INDEXES = {
    "ix_jobs_result_key": ["result_key"],
    "ix_jobs_owner_created_at": ["owner", "created_at", "id"],
    "ix_jobs_owner_started_at": ["owner", "started_at"],
}


def upgrade() -> None:
    """Add the columns and create the tables."""
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    for name, indexed in _JOB_INDEXES.items():
        op.create_index(name, "jobs", indexed)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
    )
    op.create_table(
        "idempotent_requests",
        sa.Column("owner", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column("job_id", sa.String(32)),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column(
            "job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Double, nullable=False),
        sa.Column("answer", sa.String(255)),
    )
    op.create_index("ix_deliveries_status_next_at", "deliveries", ["status", "next_at"])
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("label", sa.String(64), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """Drop what `upgrade` made."""
    for table in ("tallies", "deliveries", "idempotent_requests", "api_keys"):
        op.drop_table(table)
    for name in _JOB_INDEXES:
        op.drop_index(name, "jobs")
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)
