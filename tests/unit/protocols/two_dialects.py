"""Streams of upstreams in both dialects, and clients that take nothing but a proper stream."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.protocols import sse
from gateway.protocols.anthropic_messages import passthrough as anthropic
from gateway.protocols.exchange import Exchange, Request, Seen, Watcher, Wish
from gateway.protocols.openai_chat import passthrough as openai

DIALECTS = ("openai", "anthropic")
NAME = "asked"
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
CREATED = 1_700_000_000

_BODY = {
    "model": NAME,
    "max_tokens": 99,
    "stream": True,
    "messages": [{"role": "user", "content": "Hi"}],
}


def request_of(dialect: str, **fields: object) -> Request:
    """As a client of the dialect sends it."""
    decode = openai.decode if dialect == "openai" else anthropic.decode
    return decode(json.dumps({**_BODY, **fields}).encode())


def exchange_of(client: str, upstream: str, wish: Wish | None = None, **fields: object) -> Exchange:
    """One attempt's exchange whose body was written, as it is before any answer."""
    exchange = request_of(client, **fields).exchange(upstream, NAME)
    exchange.body(wish or Wish("up"))
    return exchange


def stream_of(dialect: str, items: Sequence[tuple[str, Sequence[str]]], finish: str = "") -> bytes:
    """Items as (kind, pieces): text, thoughts, or a tool call, whose pieces are its arguments."""
    return openai_stream(items, finish) if dialect == "openai" else anthropic_stream(items, finish)


def openai_stream(
    items: Sequence[tuple[str, Sequence[str]]], finish: str = "", id_: str = "chatcmpl-1"
) -> bytes:
    fields = {"id": id_, "created": CREATED, "model": "up"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    calls = 0
    for kind, pieces in items:
        if kind == "text":
            deltas += [{"content": piece} for piece in pieces]
        elif kind == "thoughts":
            deltas += [{"reasoning_content": piece} for piece in pieces]
        else:
            function = {"name": kind, "arguments": ""}
            deltas.append(_call({"index": calls, "id": f"call_{calls}", "function": function}))
            deltas += [_call({"index": calls, "function": {"arguments": it}}) for it in pieces]
            calls += 1
    reason = finish or ("tool_calls" if calls else "stop")
    choices: list[tuple[dict[str, Any], str | None]] = [(delta, None) for delta in deltas]
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in [*choices, ({}, reason)]
    ]
    chunks.append({"choices": [], "usage": USAGE})
    events = [sse.frame(json.dumps({**fields, **chunk}).encode()) for chunk in chunks]
    return b"".join([*events, b"data: [DONE]\n\n"])


def _call(call: dict[str, Any]) -> dict[str, Any]:
    return {"tool_calls": [call]}


_BLOCKS = {
    "text": ({"type": "text", "text": ""}, "text_delta", "text"),
    "thoughts": ({"type": "thinking", "thinking": ""}, "thinking_delta", "thinking"),
}


def anthropic_stream(items: Sequence[tuple[str, Sequence[str]]], finish: str = "") -> bytes:
    usage = {"input_tokens": 9, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "up"}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "usage": usage}}
    ]
    for index, (kind, pieces) in enumerate(items):
        tool = {"type": "tool_use", "id": f"toolu_{index}", "name": kind, "input": {}}
        block, delta, member = _BLOCKS.get(kind, (tool, "input_json_delta", "partial_json"))
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        deltas = [{"type": delta, member: piece} for piece in pieces]
        if kind == "thoughts":
            deltas.append({"type": "signature_delta", "signature": "signed"})
        events += [{"type": "content_block_delta", "index": index, "delta": it} for it in deltas]
        events.append({"type": "content_block_stop", "index": index})
    reason = finish or ("tool_use" if any(kind not in _BLOCKS for kind, _ in items) else "end_turn")
    ending = {"delta": {"stop_reason": reason, "stop_sequence": None}}
    events.append({"type": "message_delta", **ending, "usage": {"output_tokens": 4}})
    events.append({"type": "message_stop"})
    return b"".join(sse.frame(json.dumps(it).encode(), it["type"]) for it in events)


def watch(watcher: Watcher, data: bytes) -> list[Seen]:
    """A whole stream, or all that came of it, as the relay reads it."""
    splitter = sse.Splitter()
    events = splitter.feed(data)
    rest = splitter.rest()
    if rest.strip():
        events.append(rest + b"\n\n")
    seen: list[Seen] = []
    for event in events:
        if not (one := watcher.see(event)).is_garbage:
            seen.append(one)
        if one.is_done or one.problem is not None:
            return seen
    return [*seen, watcher.end()]


def without_end(seen: Sequence[Seen]) -> bytes:
    """What the client has of a stream that broke off."""
    return b"".join(one.event for one in seen if one.problem is None)


@dataclass
class Heard:
    """What a client makes of a stream."""

    text: str = ""
    thoughts: str = ""
    calls: list[list[str]] = field(default_factory=list)  # name and arguments
    finish: str = ""
    ids: set[str] = field(default_factory=set)
    kinds: list[str] = field(default_factory=list)  # of blocks
    usage: dict[str, Any] = field(default_factory=dict)


def heard(dialect: str, data: bytes) -> Heard:
    """Fails unless it is one proper, complete stream."""
    return heard_openai(data) if dialect == "openai" else heard_anthropic(data)


def heard_openai(data: bytes) -> Heard:
    found = Heard()
    *events, last = [it for it in sse.Splitter().feed(data) if not sse.is_comment_only(it)]
    assert last == b"data: [DONE]\n\n"
    heads: set[tuple[str, int, str]] = set()
    for event in events:
        chunk = json.loads(sse.data_of(event))
        assert "error" not in chunk
        heads.add((chunk["id"], chunk["created"], chunk["model"]))
        for choice in chunk["choices"]:
            assert not found.finish, "nothing is said after the finish"
            found.finish = choice["finish_reason"] or ""
            _hear_delta(found, choice["delta"])
        found.usage = chunk.get("usage") or found.usage
    assert len(heads) == 1, heads
    assert found.finish
    [(id_, _, model)] = heads
    assert model == NAME
    found.ids = {id_}
    return found


def _hear_delta(found: Heard, delta: dict[str, Any]) -> None:
    found.text += delta.get("content") or ""
    found.thoughts += delta.get("reasoning_content") or ""
    for call in delta.get("tool_calls", ()):
        if "id" in call:
            assert call["index"] == len(found.calls)
            found.calls.append([call["function"]["name"], ""])
        found.calls[call["index"]][1] += call["function"]["arguments"]


def heard_anthropic(data: bytes) -> Heard:
    """Blocks are begun in order, one at a time, and each is ended before the message is."""
    client = _AnthropicClient()
    for event in sse.Splitter().feed(data):
        if not sse.is_comment_only(event):
            told = json.loads(sse.data_of(event))
            assert sse.name_of(event) == told["type"].encode()
            client.hear(told)
    assert client.is_stopped
    return client.found


class _AnthropicClient:
    def __init__(self) -> None:
        self.found = Heard()
        self.is_stopped = False
        self._is_open = False
        self._place = -1

    def hear(self, told: dict[str, Any]) -> None:
        kind = told["type"]
        assert not self.is_stopped, "nothing follows the stop"
        if kind == "ping":
            return
        assert (kind == "message_start") is (not self.found.ids), "one start, before all else"
        assert bool(self.found.finish) is (kind == "message_stop")
        getattr(self, kind)(told)

    def message_start(self, told: dict[str, Any]) -> None:
        assert told["message"]["model"] == NAME
        self.found.ids = {told["message"]["id"]}

    def content_block_start(self, told: dict[str, Any]) -> None:
        assert (self._is_open, told["index"]) == (False, self._place + 1)
        self._is_open, self._place = True, self._place + 1
        _begin_block(self.found, told["content_block"])

    def content_block_delta(self, told: dict[str, Any]) -> None:
        assert (self._is_open, told["index"]) == (True, self._place)
        _hear_block(self.found, told["delta"])

    def content_block_stop(self, told: dict[str, Any]) -> None:
        assert (self._is_open, told["index"]) == (True, self._place)
        self._is_open = False

    def message_delta(self, told: dict[str, Any]) -> None:
        assert not self._is_open
        self.found.finish = told["delta"]["stop_reason"]
        self.found.usage = told["usage"]

    def message_stop(self, _told: dict[str, Any]) -> None:
        self.is_stopped = True


def _begin_block(found: Heard, block: dict[str, Any]) -> None:
    found.kinds.append(block["type"])
    if block["type"] == "tool_use":
        found.calls.append([block["name"], ""])


def _hear_block(found: Heard, delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            assert found.kinds[-1] == "text"
            found.text += delta["text"]
        case "thinking_delta":
            assert found.kinds[-1] == "thinking"
            found.thoughts += delta["thinking"]
        case "input_json_delta":
            assert found.kinds[-1] == "tool_use"
            found.calls[-1][1] += delta["partial_json"]
