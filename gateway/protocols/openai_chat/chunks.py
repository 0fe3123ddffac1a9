"""A plain chat answer as the chunks of the stream that the client asked for."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.protocols import sse
from gateway.protocols.canonical import Json
from gateway.protocols.openai_chat.watch import DONE_EVENT

_KIND = "chat.completion.chunk"
NOTHING = msgspec.Raw(b"null")

_Fields = dict[str, msgspec.Raw]


class _Choice(msgspec.Struct):
    message: _Fields
    index: int | None = None
    finish_reason: str | None = None


_answers = msgspec.json.Decoder(_Fields)
_choices = msgspec.json.Decoder(list[_Choice])
_whole_choices = msgspec.json.Decoder(list[_Fields])
_calls = msgspec.json.Decoder(list[_Fields] | None)
_encode = msgspec.json.encode


def replay(body: bytes) -> Iterator[bytes]:
    """The events of an answer: each choice said and finished, the usage, the end."""
    head: Json = {**_answers.decode(body), "object": _KIND}
    choices, usage = head.pop("choices"), head.pop("usage", None)
    fields = _whole_choices.decode(choices)
    for place, choice in enumerate(_choices.decode(choices)):
        at = {"index": choice.index or place}
        calls = _calls.decode(choice.message.get("tool_calls", NOTHING))
        said = {**fields[place], **at, "delta": _delta(choice.message, calls)}
        del said["message"]
        yield _chunk(head, [{**said, "finish_reason": None}])
        reason = choice.finish_reason or ("tool_calls" if calls else "stop")
        yield _chunk(head, [{**at, "delta": {}, "finish_reason": reason}])
    if usage is not None and usage != NOTHING:
        yield _chunk({**head, "usage": usage}, [])
    yield DONE_EVENT


def _delta(message: _Fields, calls: list[_Fields] | None) -> Json:
    """The calls of a delta have a place, those of a message need none."""
    if not calls:
        return message
    return {**message, "tool_calls": [{**call, "index": n} for n, call in enumerate(calls)]}


def _chunk(head: Json, choices: list[dict[str, Any]]) -> bytes:
    return sse.frame(_encode({**head, "choices": choices}))
