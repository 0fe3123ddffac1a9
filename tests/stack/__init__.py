"""A whole gateway for one test: real processes, and what a test wants to know of them."""

from tests.stack.processes import ApiProcess
from tests.stack.stack import Stack

__all__ = ["ApiProcess", "Stack"]
