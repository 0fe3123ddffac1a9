"""A call, from the decoded request to its settlement."""

from gateway.relay.call import Call, Entry
from gateway.relay.counting import call_counting
from gateway.relay.deps import Deps
from gateway.relay.offers import Place, get_offer, list_offers, list_places
from gateway.relay.plain import PlainAnswer, call_plain
from gateway.relay.standing import Standing, get_standing
from gateway.relay.stream import Stream, open_stream
from gateway.relay.visitor import Visitor, get_visitor

__all__ = [
    "Call",
    "Deps",
    "Entry",
    "Place",
    "PlainAnswer",
    "Standing",
    "Stream",
    "Visitor",
    "call_counting",
    "call_plain",
    "get_offer",
    "get_standing",
    "get_visitor",
    "list_offers",
    "list_places",
    "open_stream",
]
