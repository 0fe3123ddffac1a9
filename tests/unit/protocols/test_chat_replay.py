"""A plain chat answer for a client of the same dialect who asked for a stream."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from gateway.errors import UpstreamError
from gateway.protocols import sse
from gateway.protocols.exchange import Seen
from tests.unit.protocols.two_dialects import NAME, exchange_of

CALL = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
ANSWER: dict[str, Any] = {
    "id": "c1",
    "object": "chat.completion",
    "created": 7,
    "model": "up",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "one", "new": [1]},
            "logprobs": None,
            "finish_reason": "length",
        },
        {"index": 1, "message": {"content": None, "tool_calls": [CALL, CALL | {"id": "u"}]}},
        {"message": {"content": "three", "tool_calls": None}, "finish_reason": ""},
    ],
    "usage": USAGE,
}


def replayed(answer: dict[str, Any]) -> tuple[list[Seen], list[dict[str, Any]]]:
    _, seen = exchange_of("openai", "openai", n=3).replay(json.dumps(answer).encode())
    return seen, [json.loads(sse.data_of(one.event)) for one in seen[:-1]]


def test_every_choice_is_said_and_finished() -> None:
    seen, chunks = replayed(ANSWER)
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)
        assert (chunk["id"], chunk["model"], chunk["created"]) == ("c1", NAME, 7)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [(one["index"], one["finish_reason"]) for one in choices] == [
        (0, None),
        (0, "length"),
        (1, None),
        (1, "tool_calls"),
        (2, None),
        (2, "stop"),
    ]
    assert choices[0]["delta"] == ANSWER["choices"][0]["message"]
    calls = choices[2]["delta"]["tool_calls"]
    assert [(call["index"], call["id"]) for call in calls] == [(0, "t"), (1, "u")]
    assert seen[-1].event == b"data: [DONE]\n\n"
    assert seen[-1].is_done
    assert "".join(one.said for one in seen) == "onethree"


def test_the_usage_is_an_event_of_its_own_that_can_be_left_out() -> None:
    seen, chunks = replayed(ANSWER)
    assert [one.is_usage_only for one in seen].count(True) == 1
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], USAGE)
    assert all("usage" not in chunk for chunk in chunks[:-1])
    silent = {**ANSWER, "usage": None, "code": 200, "message": "fine"}
    seen, chunks = replayed(silent)
    assert (len(chunks), seen[-1].is_done) == (6, True)
    assert not any(one.is_usage_only for one in seen)


def test_numbers_and_unknown_fields_come_as_they_are() -> None:
    body = b'{"x":1.10,"big":%d,"choices":[{"message":{"content":"a","y":1e2}}]}' % 10**30
    _, seen = exchange_of("openai", "openai").replay(body)
    assert b'"x":1.10,"big":%d' % 10**30 in seen[0].event
    assert b'"y":1e2' in seen[0].event


@pytest.mark.parametrize("body", [b"", b"{}", b'{"choices":[{}]}', b'{"choices":[1]}'])
def test_what_is_no_answer_is_no_stream(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        exchange_of("openai", "openai").replay(body)


def test_a_client_who_asked_for_usage_gets_an_estimate_of_what_nobody_counted() -> None:
    events = [
        {"type": "message_start", "message": {"id": "m"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "a" * 40},
        },
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ]
    for is_asked in (True, False):
        options = {"include_usage": is_asked}
        watcher = exchange_of("openai", "anthropic", stream_options=options).watch()
        seen = [watcher.see(sse.frame(json.dumps(event).encode())) for event in events]
        assert watcher.usage is None
        found = [
            json.loads(part.removeprefix(b"data: "))
            for part in seen[-1].event.split(b"\n\n")
            if b"usage" in part
        ]
        assert len(found) == is_asked
        if is_asked:
            assert found[0]["usage"]["completion_tokens"] == 10
            assert found[0]["usage"]["prompt_tokens"] > 0
