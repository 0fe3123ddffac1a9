"""Redis: clients with short time-outs, and the name of every key."""

from gateway.cache import keys
from gateway.cache.clients import connect, connect_async, refuse_cluster
from gateway.cache.tool_states import ToolStates

__all__ = ["ToolStates", "connect", "connect_async", "keys", "refuse_cluster"]
