"""Coming back: after Redis was emptied or restarted, and every second in small ways."""

from gateway.recovery.join import Joiner
from gateway.recovery.keeper import Keeper

__all__ = ["Joiner", "Keeper"]
