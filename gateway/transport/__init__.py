"""The one way to upstreams: a pool of connections, with a limit on every wait."""

from gateway.transport.client import Limits, Transport, UpstreamResponse

__all__ = ["Limits", "Transport", "UpstreamResponse"]
