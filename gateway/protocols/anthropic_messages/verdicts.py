"""What the events of an Anthropic stream amount to: one verdict for who relays and who converts."""

from gateway.protocols import sse
from gateway.protocols.canonical import Json, UpstreamProblem
from gateway.protocols.problems import find_event_problem

_TYPES = frozenset(
    (
        "ping",
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    )
)


def named(event: bytes) -> str:
    """The type of an event whose data do not tell it."""
    return (sse.name_of(event) or b"").decode(errors="replace")


def find_problem(event: bytes, data: bytes) -> UpstreamProblem | None:
    """The error that an event reports, if it does: a type unheard of is none by itself."""
    return find_event_problem(event, data, _is_known)


def _is_known(document: Json, name: bytes | None) -> bool:
    type_ = document.get("type") or (name or b"").decode(errors="replace")
    return isinstance(type_, str) and type_ in _TYPES
