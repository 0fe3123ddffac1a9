"""Adapters to upstream vendors: bytes in, values out, no IO."""

from gateway.providers.base import Provider, TargetView
from gateway.providers.registry import PROVIDERS

__all__ = ["PROVIDERS", "Provider", "TargetView"]
