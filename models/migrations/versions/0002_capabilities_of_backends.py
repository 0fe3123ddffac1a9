"""Capabilities of backends and of their links to models."""

import sqlalchemy as sa
from alembic import op

import models.base

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("backends", "backend_models")


def upgrade() -> None:
    for table in TABLES:
        # The default serves the rows that are there, and processes of the older version.
        column = sa.Column("capabilities", models.base.Json, nullable=False, server_default="{}")
        op.add_column(table, column)


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "capabilities")
