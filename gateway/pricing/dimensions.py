"""What can be counted and priced, and which price stands in for one that is not set."""

from enum import StrEnum

from gateway.errors import ModelNotSellableError


class Dimension(StrEnum):
    """One kind of unit. Dimensions never overlap: ``input`` excludes cached tokens and so on."""

    INPUT = "input"
    CACHED_INPUT = "cached_input"
    CACHE_WRITE = "cache_write"
    OUTPUT = "output"
    REASONING = "reasoning"
    AUDIO_INPUT = "audio_input"
    AUDIO_OUTPUT = "audio_output"
    IMAGE = "image"
    CHARACTER = "character"
    SECOND = "second"
    MINUTE = "minute"
    CALL = "call"
    ACTION = "action"


STAND_INS = {
    "cached_input": "input",
    "cache_write": "input",
    "audio_input": "input",
    "reasoning": "output",
    "audio_output": "output",
}
"""Dimensions that fall back to the price of another one. All others must be priced."""


class UnpricedError(ModelNotSellableError):
    """Something was used, or is about to be, that has no price: unset does not mean free."""

    def __init__(self, dimension: str, variant: str = "") -> None:
        super().__init__(dimension=dimension, variant=variant)
        self.dimension = dimension
        self.variant = variant
