"""The one way to upstreams: httpx's types over aiohttp, with a limit on every wait."""

from gateway.transport.client import Limits, Transport, UpstreamResponse

__all__ = ["Limits", "Transport", "UpstreamResponse"]
