"""The database of one process: sessions, its thread pool, revisions and migrations."""

from gateway.db.database import Database, ReadSession, Session
from gateway.db.revisions import (
    CATALOG,
    POLICY,
    USER,
    Revised,
    announce,
    mark_all_changed,
    mark_changed,
    withdraw,
)
from gateway.db.url import normalise_url

__all__ = [
    "CATALOG",
    "POLICY",
    "USER",
    "Database",
    "ReadSession",
    "Revised",
    "Session",
    "announce",
    "mark_all_changed",
    "mark_changed",
    "normalise_url",
    "withdraw",
]
