"""Whole answers of one dialect as a client of the other must get them."""

import json
from typing import Any

import anthropic.types
import pytest
from openai.types.chat import ChatCompletion

from gateway.protocols import anthropic_messages, openai_chat
from gateway.protocols.anthropic_messages.signatures import sign

Json = dict[str, Any]

USAGE = {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}


def to_anthropic(message: Json, finish: str | None = "stop", **fields: object) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    body = {"id": "chatcmpl-1", "choices": [choice], "usage": USAGE, **fields}
    answer = openai_chat.decode_answer(json.dumps(body).encode())
    written = anthropic_messages.encode_answer(answer, "asked", input_tokens=11)
    anthropic.types.Message.model_validate_json(written, strict=True)
    read: Json = json.loads(written)
    return read


def to_openai(content: list[Json], reason: str = "end_turn", **fields: object) -> Json:
    usage = {"input_tokens": 10, "output_tokens": 7}
    body = {"id": "msg_1", "content": content, "stop_reason": reason, "usage": usage, **fields}
    answer = anthropic_messages.decode_answer(json.dumps(body).encode())
    written = openai_chat.encode_answer(answer, "asked")
    ChatCompletion.model_validate_json(written, strict=True)
    read: Json = json.loads(written)
    return read


def call(id_: str, arguments: str) -> Json:
    return {"id": id_, "type": "function", "function": {"name": "f", "arguments": arguments}}


def test_a_chat_completion_becomes_a_message() -> None:
    assert to_anthropic({"content": "a"}) == {
        "id": "msg_chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "asked",
        "content": [{"type": "text", "text": "a"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 7,
        },
    }


def test_the_content_is_thoughts_then_text_then_refusal_then_calls() -> None:
    message = {
        "reasoning_content": "hm",
        "content": "a",
        "refusal": "no",
        "tool_calls": [call("c0", '{"x": 1}'), call("c1", "")],
    }
    assert to_anthropic(message)["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": sign("hm")},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "no"},
        {"type": "tool_use", "id": "c0", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
    ]


@pytest.mark.parametrize("arguments", ['{"x":', "[1]", "five", "null"])
def test_arguments_that_cannot_be_read_are_handed_over_as_they_are(arguments: str) -> None:
    content = to_anthropic({"tool_calls": [call("c0", arguments)]}, "tool_calls")["content"]
    assert content[0]["input"] == {"_raw_arguments": arguments}


def test_nothing_at_all_is_an_empty_content() -> None:
    assert to_anthropic({"content": None})["content"] == []


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("function_call", "tool_use"),
        ("content_filter", "refusal"),
        (None, "end_turn"),
        ("tired", "end_turn"),
    ],
)
def test_why_a_completion_ended(finish: str | None, reason: str) -> None:
    assert to_anthropic({"content": "a"}, finish)["stop_reason"] == reason


def test_a_stop_with_calls_is_for_the_sake_of_the_tools() -> None:
    assert to_anthropic({"tool_calls": [call("c0", "{}")]})["stop_reason"] == "tool_use"


def test_a_refusal_is_a_reason_to_stop() -> None:
    assert to_anthropic({"refusal": "no"})["stop_reason"] == "refusal"


def test_the_stop_string_is_named() -> None:
    choice = {"message": {"content": "a"}, "finish_reason": "stop", "stop_reason": "END"}
    message = to_anthropic({}, choices=[choice])
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")


def test_usage_that_was_not_told_is_estimated() -> None:
    usage = to_anthropic({"content": "four words of text"}, usage=None)["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (11, 5)


def test_a_message_becomes_a_chat_completion() -> None:
    completion = to_openai(
        [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "a\n"},
            {"type": "text", "text": "b"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}},
        ],
        "tool_use",
    )
    assert completion.pop("created") > 0
    assert completion == {
        "id": "chatcmpl-msg_1",
        "object": "chat.completion",
        "model": "asked",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "a\nb",
                    "refusal": None,
                    "reasoning_content": "hm",
                    "tool_calls": [call("toolu_1", '{"x":1}')],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            **USAGE,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }


def test_calls_alone_have_no_content() -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    message = to_openai([block], "tool_use")["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [call("toolu_1", "{}")]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("tired", "stop"),
    ],
)
def test_why_a_message_ended(reason: str, finish: str) -> None:
    completion = to_openai([{"type": "text", "text": "a"}], reason)
    assert completion["choices"][0]["finish_reason"] == finish


def test_cached_tokens_are_counted_once_in_both_directions() -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 800},
    }
    there = to_anthropic({"content": "a"}, usage=usage)["usage"]
    assert (there["input_tokens"], there["cache_read_input_tokens"]) == (200, 800)
    back = to_openai([], usage=there)["usage"]
    assert (back["prompt_tokens"], back["prompt_tokens_details"]["cached_tokens"]) == (1000, 800)
    written = {"input_tokens": 3, "cache_creation_input_tokens": 97, "output_tokens": 1}
    assert to_openai([], usage=written)["usage"]["prompt_tokens"] == 100


@pytest.mark.parametrize("reason", ["end_turn", "max_tokens", "tool_use", "refusal"])
def test_a_reason_survives_the_way_there_and_back(reason: str) -> None:
    completion = to_openai([{"type": "text", "text": "a"}], reason)
    choice = completion["choices"][0]
    assert to_anthropic(choice["message"], choice["finish_reason"])["stop_reason"] == reason
