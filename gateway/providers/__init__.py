"""Adapters to upstream vendors: bytes in, values out, no IO."""

from gateway.providers.base import Provider, TargetView
from gateway.providers.credentials import KEYLESS, private_names
from gateway.providers.registry import PROVIDERS

__all__ = ["KEYLESS", "PROVIDERS", "Provider", "TargetView", "private_names"]
