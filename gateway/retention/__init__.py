"""How long things are kept, and the work of letting go of them."""

from gateway.retention.partitions import ensure_partitions
from gateway.retention.purge import purge
from gateway.retention.table import RETENTION, Kept

__all__ = ["RETENTION", "Kept", "ensure_partitions", "purge"]
