"""What the events of an OpenAI stream amount to: one verdict for who relays and who converts."""

from gateway.protocols.canonical import Json, UpstreamProblem
from gateway.protocols.problems import find_event_problem

DONE = b"[DONE]"


def find_problem(event: bytes, data: bytes) -> UpstreamProblem | None:
    """The error that an event reports; only worth asking of what holds no choices."""
    return find_event_problem(event, data, _is_chunk)


def is_complete(*, has_reason: bool, has_content: bool) -> bool:
    """Whether ``[DONE]`` is to be believed.

    Some servers never say why an answer ended; none has nothing to say at all.
    """
    return has_reason or has_content


def _is_chunk(document: Json, _name: bytes | None) -> bool:
    return bool(document.get("choices") or document.get("usage"))
