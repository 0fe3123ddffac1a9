"""A call, from the decoded request to its settlement."""

from gateway.relay.call import Call, Decoded, Entry
from gateway.relay.deps import Deps
from gateway.relay.offers import list_offers
from gateway.relay.plain import PlainAnswer, Read, call_plain
from gateway.relay.stream import Stream, open_stream

__all__ = [
    "Call",
    "Decoded",
    "Deps",
    "Entry",
    "PlainAnswer",
    "Read",
    "Stream",
    "call_plain",
    "list_offers",
    "open_stream",
]
