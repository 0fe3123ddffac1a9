"""Anthropic requests and what an upstream that speaks OpenAI chat must be sent for them."""

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequestError
from gateway.protocols.anthropic_messages import decode_request
from gateway.protocols.openai_chat import encode_request
from gateway.protocols.traits import Traits

Json = dict[str, Any]

USER = {"role": "user", "content": "a"}
IMAGE = {"type": "base64", "media_type": "image/png", "data": "aW1n"}
CALL = {"type": "tool_use", "id": "toolu_01", "name": "f", "input": {"x": 1}}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "cGRm"}


def body(**fields: object) -> bytes:
    given = {"model": "m", "max_tokens": 9, "messages": [USER], **fields}
    return json.dumps({k: v for k, v in given.items() if v is not None}).encode()


def convert(traits: Traits | None = None, **fields: object) -> Json:
    call = decode_request(body(**fields))
    converted: Json = json.loads(encode_request(call, traits or Traits()))
    return converted


def test_every_field_that_has_a_counterpart_is_carried_over() -> None:
    assert convert(
        system="Be brief.",
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        stop_sequences=["END"],
        metadata={"user_id": "u-1"},
        stream=True,
        thinking={"type": "disabled"},
    ) == {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "system", "content": "Be brief."}, USER],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
        "stop": ["END"],
        "user": "u-1",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_temperature_of_zero_reaches_the_upstream() -> None:
    assert convert(temperature=0)["temperature"] == 0


def test_the_bound_on_the_output_is_called_what_the_server_calls_it() -> None:
    assert convert(Traits(output_field="max_completion_tokens"))["max_completion_tokens"] == 9


def test_blocks_of_the_system_are_joined_with_a_blank_line_and_lose_their_cache_control() -> None:
    blocks = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "b"},
    ]
    assert convert(system=blocks)["messages"][0] == {"role": "system", "content": "a\n\nb"}


def test_the_metadata_become_the_user() -> None:
    assert convert(metadata={"user_id": "u"})["user"] == "u"
    assert "user" not in convert(metadata={})


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": IMAGE},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1n"}},
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://images.test/a"}},
            {"type": "image_url", "image_url": {"url": "https://images.test/a"}},
        ),
        (
            {"type": "document", "source": PDF, "title": "t.pdf"},
            {
                "type": "file",
                "file": {"file_data": "data:application/pdf;base64,cGRm", "filename": "t.pdf"},
            },
        ),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "words"},
            },
            {"type": "text", "text": "words"},
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "words"}},
            {"type": "text", "text": "words"},
        ),
    ],
)
def test_what_a_user_shows_becomes_a_part(block: Json, part: Json) -> None:
    content = [{"type": "text", "text": "see"}, block]
    assert convert(messages=[{"role": "user", "content": content}])["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "see"}, part]}
    ]


def test_a_document_by_address_is_refused() -> None:
    source = {"type": "url", "url": "https://files.test/a.pdf"}
    with pytest.raises(InvalidRequestError):
        convert(messages=[{"role": "user", "content": [{"type": "document", "source": source}]}])


def test_tool_results_are_messages_of_their_own_before_the_rest_of_their_turn() -> None:
    turn = [
        {"type": "text", "text": "now?"},
        {"type": "tool_result", "tool_use_id": "toolu_01", "content": "r"},
        {
            "type": "tool_result",
            "tool_use_id": "b",
            "is_error": True,
            "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}],
        },
        {"type": "tool_result", "tool_use_id": "c"},
    ]
    calls = [CALL, {**CALL, "id": "b"}, {**CALL, "id": "c"}]
    messages = [USER, {"role": "assistant", "content": calls}, {"role": "user", "content": turn}]
    assert convert(messages=messages)["messages"][2:] == [
        {"role": "tool", "tool_call_id": "toolu_01", "content": "r"},
        {"role": "tool", "tool_call_id": "b", "content": "Error: x\ny"},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {"role": "user", "content": "now?"},
    ]


def test_images_of_a_tool_result_follow_as_the_users() -> None:
    content = [{"type": "text", "text": "r"}, {"type": "image", "source": IMAGE}]
    result = {"type": "tool_result", "tool_use_id": "toolu_01", "content": content}
    messages = [
        USER,
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [result]},
    ]
    tool, user = convert(messages=messages)["messages"][2:]
    assert tool["content"] == "r"
    assert [part["type"] for part in user["content"]] == ["text", "image_url"]


def test_a_turn_of_the_assistant_becomes_one_message_that_keeps_its_ids() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "b3BhcXVl"},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
        CALL,
        {**CALL, "id": "call_2", "input": {}},
    ]
    messages = [USER, {"role": "assistant", "content": blocks}]
    assert convert(messages=messages)["messages"][1] == {
        "role": "assistant",
        "content": "ab",
        "tool_calls": [
            {
                "id": "toolu_01",
                "type": "function",
                "function": {"name": "f", "arguments": '{"x":1}'},
            },
            {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ],
    }


def test_a_turn_of_calls_alone_has_an_empty_content_and_not_none_at_all() -> None:
    said = convert(messages=[USER, {"role": "assistant", "content": [CALL]}])["messages"][1]
    assert said["content"] is None


def test_thoughts_go_back_where_the_server_wants_them() -> None:
    blocks = [
        {"type": "thinking", "thinking": "one", "signature": "sluice-0"},
        {"type": "thinking", "thinking": "two", "signature": "s"},
        {"type": "text", "text": "a"},
    ]
    messages = [USER, {"role": "assistant", "content": blocks}]
    converted = convert(Traits(wants_reasoning_back=True), messages=messages)
    assert converted["messages"][1]["reasoning_content"] == "one\ntwo"


def test_tools_lose_what_only_one_dialect_knows() -> None:
    tools = [
        {
            "name": "f",
            "description": "d",
            "input_schema": {"$schema": "s", "type": "object", "properties": {"x": {}}},
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "custom", "name": "g", "strict": True},
    ]
    assert convert(tools=tools)["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "d",
                "parameters": {"type": "object", "properties": {"x": {}}},
            },
        },
        {
            "type": "function",
            "function": {
                "name": "g",
                "parameters": {"type": "object", "properties": {}},
                "strict": True,
            },
        },
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        (
            {"type": "tool", "name": "f"},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
        ({"type": "auto", "disable_parallel_tool_use": False}, {"tool_choice": "auto"}),
    ],
)
def test_the_choice_of_a_tool(given: Json, expected: Json) -> None:
    converted = convert(tools=[{"name": "f"}], tool_choice=given)
    fields = ("tool_choice", "parallel_tool_calls")
    assert {name: converted[name] for name in fields if name in converted} == expected


@pytest.mark.parametrize(
    ("thinking", "traits", "expected"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, {}, {"reasoning_effort": "low"}),
        ({"type": "enabled", "budget_tokens": 4000}, {}, {"reasoning_effort": "medium"}),
        ({"type": "enabled", "budget_tokens": 16000}, {}, {"reasoning_effort": "high"}),
        ({"type": "disabled"}, {}, {}),
        ({"type": "adaptive"}, {}, {}),
        (
            {"type": "enabled", "budget_tokens": 1024},
            {"thinking": "toggle"},
            {"thinking": {"type": "enabled"}},
        ),
        ({"type": "disabled"}, {"thinking": "toggle"}, {"thinking": {"type": "disabled"}}),
        ({"type": "enabled", "budget_tokens": 1024}, {"thinking": "fixed"}, {}),
    ],
)
def test_thinking_is_asked_for_as_the_server_wants_it(
    thinking: Json, traits: Json, expected: Json
) -> None:
    converted = convert(Traits(**traits), thinking=thinking, max_tokens=20_000)
    assert converted.pop("max_tokens") == 20_000, "the budget never bounds the answer"
    assert {k: v for k, v in converted.items() if k not in {"model", "messages"}} == expected


def test_the_effort_and_the_format_of_the_output() -> None:
    schema = {"type": "object"}
    config = {"effort": "low", "format": {"type": "json_schema", "schema": schema}}
    converted = convert(output_config=config)
    assert converted["reasoning_effort"] == "low"
    assert converted["response_format"]["json_schema"]["schema"] == schema


def test_the_beginning_of_an_answer_is_passed_on() -> None:
    messages = [USER, {"role": "assistant", "content": "Well"}]
    converted = convert(Traits(prefix="template"), messages=messages)
    assert converted["messages"][-1]["content"] == "Well"
    assert converted["continue_final_message"] is True
