"""From the end of a call to its record: journal, settlement, drain and rollups."""

from gateway.usage.drain import Drained, drain_once
from gateway.usage.effects import apply_effects
from gateway.usage.journal import Journal, JournalFullError
from gateway.usage.settle import Settler, StreamFullError

__all__ = [
    "Drained",
    "Journal",
    "JournalFullError",
    "Settler",
    "StreamFullError",
    "apply_effects",
    "drain_once",
]
