"""Redis: clients with short time-outs, and the name of every key."""

from gateway.cache import keys
from gateway.cache.clients import connect, connect_async, refuse_cluster

__all__ = ["connect", "connect_async", "keys", "refuse_cluster"]
