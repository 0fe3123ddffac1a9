"""Anthropic requests: what is read is what was meant, what is wrong is named."""

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequestError
from gateway.protocols.anthropic_messages import decode_count, decode_request, encode_answer
from gateway.protocols.anthropic_messages.signatures import is_ours, sign
from gateway.protocols.canonical import (
    Answer,
    Call,
    Document,
    Finish,
    FormatKind,
    Image,
    Message,
    Reasoning,
    ResponseFormat,
    Role,
    Sampling,
    Text,
    Thinking,
    ThinkingMode,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)

Json = dict[str, Any]

USER = {"role": "user", "content": "a"}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}}
CALLED = {"role": "assistant", "content": [USE]}


def body(**fields: object) -> bytes:
    given = {"model": "m", "max_tokens": 9, "messages": [USER], **fields}
    return json.dumps({k: v for k, v in given.items() if v is not None}).encode()


def decode(**fields: object) -> Call:
    return decode_request(body(**fields))


def items(*blocks: Json, role: str = "user") -> tuple[object, ...]:
    return decode(messages=[USER, CALLED, {"role": role, "content": blocks}]).messages[2].items


def test_everything_that_can_be_said_is_read() -> None:
    tool = {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": True}
    call = decode(
        system=[{"type": "text", "text": "s"}],
        messages=[USER, {"role": "system", "content": "then"}, CALLED],
        temperature=0,
        top_p=0.9,
        top_k=4,
        stop_sequences=["END"],
        stream=True,
        tools=[tool],
        tool_choice={"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        thinking={"type": "adaptive"},
        output_config={
            "effort": "high",
            "format": {"type": "json_schema", "schema": {"type": "object"}},
        },
        metadata={"user_id": "u"},
        service_tier="auto",
        container="c",
    )
    assert call == Call(
        model="m",
        messages=(
            Message(Role.SYSTEM, (Text("s"),)),
            Message(Role.USER, (Text("a"),)),
            Message(Role.SYSTEM, (Text("then"),)),
            Message(Role.ASSISTANT, (ToolCall("t1", "f", '{"x":1}'),)),
        ),
        tools=(Tool("f", "d", {"type": "object"}, strict=True),),
        tool_choice=ToolChoice(ToolMode.NAMED, "f"),
        parallel_tool_calls=False,
        sampling=Sampling(temperature=0, top_p=0.9, top_k=4),
        response_format=ResponseFormat(FormatKind.JSON_SCHEMA, json_schema={"type": "object"}),
        thinking=Thinking(ThinkingMode.ADAPTIVE, "high"),
        max_output_tokens=9,
        stop=("END",),
        user="u",
        stream=True,
        include_usage=True,
        extras={"service_tier": "auto", "container": "c"},
    )


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({}, None),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            Thinking(ThinkingMode.ENABLED, None, 1024),
        ),
        ({"thinking": {"type": "disabled"}}, Thinking(ThinkingMode.DISABLED)),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
            Thinking(ThinkingMode.DISABLED),
        ),
        ({"thinking": {"type": "adaptive"}}, Thinking(ThinkingMode.ADAPTIVE)),
        ({"thinking": {"type": "between_tools"}}, Thinking(ThinkingMode.ADAPTIVE)),
        ({"output_config": {"effort": "max"}}, Thinking(ThinkingMode.ADAPTIVE, "max")),
    ],
)
def test_how_much_to_think(fields: Json, thinking: Thinking | None) -> None:
    assert decode(max_tokens=2000, **fields).thinking == thinking


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            {"type": "base64", "media_type": "application/pdf", "data": "cGRm"},
            Document("application/pdf", "cGRm", name="t"),
        ),
        (
            {"type": "text", "media_type": "text/plain", "data": "w"},
            Document(text="w", name="t"),
        ),
        (
            {"type": "url", "url": "https://files.test/a"},
            Document(url="https://files.test/a", name="t"),
        ),
        ({"type": "file", "file_id": "file_1"}, Document(file_id="file_1", name="t")),
        ({"type": "content", "content": "w"}, Document(text="w", name="t")),
        ({"type": "content", "content": [{"type": "text", "text": "w"}]}, Text("w")),
    ],
)
def test_documents_of_every_source(source: Json, expected: object) -> None:
    assert items({"type": "document", "source": source, "title": "t"}) == (expected,)


def test_a_search_result_is_a_document_of_its_text() -> None:
    block = {
        "type": "search_result",
        "source": "s",
        "title": "t",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
    }
    assert items(block) == (Document(text="a\nb", name="t"),)


def test_tool_results_hold_text_images_and_documents() -> None:
    image = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "aW1n"},
    }
    content = [{"type": "text", "text": "r"}, image]
    assert items(
        {"type": "tool_result", "tool_use_id": "t1", "content": content, "is_error": True},
        {"type": "tool_result", "tool_use_id": "t1", "content": "r"},
        {"type": "tool_result", "tool_use_id": "t1"},
    ) == (
        ToolResult("t1", (Text("r"), Image("image/png", "aW1n")), is_error=True),
        ToolResult("t1", (Text("r"),)),
        ToolResult("t1"),
    )


def test_thoughts_keep_the_vendors_signature_and_lose_ours() -> None:
    assert items(
        {"type": "thinking", "thinking": "hm", "signature": "vendor"},
        {"type": "thinking", "thinking": "hm", "signature": sign("hm")},
        {"type": "redacted_thinking", "data": "b3BhcXVl"},
        role="assistant",
    ) == (Reasoning("hm", "vendor"), Reasoning("hm"), Reasoning(redacted="b3BhcXVl"))


def test_the_signature_that_a_client_was_given_is_recognised_when_it_comes_back() -> None:
    answer = Answer(id="1", model="m", items=(Reasoning("hm"),), finish=Finish.STOP)
    block = json.loads(encode_answer(answer, "m"))["content"][0]
    assert is_ours(block["signature"])
    assert items(block, role="assistant") == (Reasoning("hm"),)


def test_the_input_of_a_tool_keeps_its_numbers_and_the_order_of_its_keys() -> None:
    text = b'{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":'
    text += (
        b'"tool_use","id":"t","name":"f","input":{ "b" : 1.0,\n"a":12345678901234567890123}}]}]}'
    )
    (call,) = decode_request(text).messages[0].items
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"b":1.0,"a":12345678901234567890123}'


def test_a_count_needs_no_bound_on_the_output() -> None:
    assert decode_count(body(max_tokens=None)).max_output_tokens is None
    assert decode_count(body(max_tokens=0)).max_output_tokens is None
    assert decode_count(body()).messages == decode().messages


def result(**fields: object) -> Json:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", **fields}]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"model": None}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [USER, result()]}, "messages[1].content[0].tool_use_id"),
        ({"messages": [result(), CALLED]}, "messages[0].content[0].tool_use_id"),
        (
            {"messages": [USER, CALLED, result(tool_use_id="t2")]},
            "messages[2].content[0].tool_use_id",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{**USE, "input": "x"}]}]},
            "messages[0].content[0].input",
        ),
        ({"messages": [{"role": "user", "content": [USE]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "container_upload"}]}]},
            "messages[0].content[0].type",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}],
                    }
                ]
            },
            "messages[0].content[0].source.type",
        ),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"name": "f"}, {"type": "mcp_toolset"}]}, "tools[1].type"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "tool_use", "name": "f"}}, "tool_choice.type"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "always"}}, "thinking.type"),
        ({"output_config": {"effort": "some"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "json"}}}, "output_config.format.type"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(fields: Json, path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decode(**fields)
    assert caught.value.param == path


def test_an_empty_list_of_servers_is_no_wish() -> None:
    assert decode(mcp_servers=[]) == decode()


@pytest.mark.parametrize("given", [b"", b"{", b"\xff", b"[]", b"[" * 100_000])
def test_a_body_that_is_no_request_is_refused(given: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        decode_request(given)
