"""``sluice up``: every process of an installation on one machine under one supervisor."""

from collections.abc import Callable

from gateway.settings import Settings
from gateway.supervisor.problems import StartError, describe

__all__ = ["StartError", "describe", "up"]


def up(settings: Settings, *, announce: Callable[[str], None]) -> int:
    """Run everything until stopped; returns the exit code. A refusal is one announced line."""
    # The parts of this package are used by tests that need nothing of the product's core.
    from gateway.supervisor import boot  # noqa: PLC0415

    return boot.up(settings, announce=announce)
