"""One way to answer a call: a target, and the model as which it serves."""

from dataclasses import dataclass

from gateway.catalog import Offer, Target


@dataclass(frozen=True, slots=True)
class Candidate:
    target: Target
    # Whose parameters, limits and traits hold: of the model that serves, not of the one that
    # was asked for and is paid.
    offer: Offer
    # Under which the answer goes to the client.
    name: str
    # Candidates of a later tier are for when an earlier one has none left.
    tier: int = 0
    # A fallback model answers under its own name.
    is_fallback: bool = False
    # Only for requests that are too long for the others.
    is_for_long: bool = False
