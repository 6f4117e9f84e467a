"""The table of paused queues: Redis, where workers look, may lose it."""

from sqlalchemy import Column, String, Table

from shared.store.tables import Big, metadata

paused_queues = Table(
    "paused_queues",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("paused_at", Big, nullable=False),
)
