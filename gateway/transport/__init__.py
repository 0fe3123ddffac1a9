"""The one way to upstreams: a pool of connections, with a limit on every wait."""

from gateway.transport.client import Limits, Transport, UpstreamResponse
from gateway.transport.fetcher import Fetched, Fetcher

__all__ = ["Fetched", "Fetcher", "Limits", "Transport", "UpstreamResponse"]
