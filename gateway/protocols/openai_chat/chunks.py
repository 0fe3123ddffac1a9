"""A plain chat answer as the chunks of the stream that the client asked for."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.protocols import sse
from gateway.protocols.canonical import Json
from gateway.protocols.openai_chat.watch import DONE_EVENT

_encode = msgspec.json.encode


def replay(body: bytes) -> Iterator[bytes]:
    """The events of an answer: each choice said and finished, the usage, the end."""
    head: Json = msgspec.json.decode(body)
    head["object"] = "chat.completion.chunk"
    choices, usage = head.pop("choices"), head.pop("usage", None)
    for place, choice in enumerate(choices):
        index = choice.get("index") or place
        said = {**choice, "index": index, "delta": _delta(choice["message"]), "finish_reason": None}
        del said["message"]
        yield _chunk(head, [said])
        reason = choice.get("finish_reason") or _reason(choice["message"])
        yield _chunk(head, [{"index": index, "delta": {}, "finish_reason": reason}])
    if usage is not None:
        yield sse.frame(_encode({**head, "choices": [], "usage": usage}))
    yield DONE_EVENT


def _chunk(head: Json, choices: list[Json]) -> bytes:
    return sse.frame(_encode({**head, "choices": choices}))


def _delta(message: Json) -> Json:
    """The calls of a delta have a place, those of a message need none."""
    calls: list[Any] | None = message.get("tool_calls")
    if not calls:
        return message
    return {**message, "tool_calls": [{"index": n, **call} for n, call in enumerate(calls)]}


def _reason(message: Json) -> str:
    """For servers that give none with a whole answer."""
    return "tool_calls" if message.get("tool_calls") else "stop"
