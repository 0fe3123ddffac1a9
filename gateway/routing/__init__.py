"""Which ways to serve a model are tried, and in which order."""

from gateway.routing.order import Router

__all__ = ["Router"]
