"""Anthropic's wire form, and that both vendors say the same to the same prompt."""

import json
from typing import Any

import pytest

from tests.upstream import anthropic_messages, openai_chat, sse
from tests.upstream.anthropic_shapes import error_event, sign
from tests.upstream.faults import NO_FAULT, Fault, parse_spec
from tests.upstream.reply import Call
from tests.upstream.routes import NO_ANTHROPIC_ROUTE, NO_ROUTE, find_route

VERSION = {"anthropic-version": "2023-06-01"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
HELLO = [{"role": "user", "content": "hello"}]


def call(fault: Fault = NO_FAULT, **body: Any) -> Call:  # noqa: ANN401
    given = {"model": "m", "max_tokens": 4096, "messages": HELLO, **body}
    return Call(7, "m", given, fault, headers=VERSION)


def ask(fault: Fault = NO_FAULT, **body: Any) -> Any:  # noqa: ANN401
    return json.loads(anthropic_messages.answer(call(fault, **body)).body)


def stream(fault: Fault = NO_FAULT, **body: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
    events = anthropic_messages.answer(call(fault, stream=True, **body)).events or ()
    return [(event.name, json.loads(event.data)) for event in events]


def tool(name: str, schema: Any = SCHEMA) -> dict[str, Any]:  # noqa: ANN401
    return {"name": name, "input_schema": schema}


def ask_openai(messages: list[dict[str, Any]], **body: Any) -> Any:  # noqa: ANN401
    given = {"model": "m", "messages": messages, **body}
    answer = json.loads(openai_chat.answer(Call(7, "m", given, NO_FAULT)).body)
    return answer["choices"][0]["message"], answer["usage"]


def test_events_of_a_short_text() -> None:
    events = anthropic_messages.answer(call(parse_spec("n1-ca2-p9"), stream=True)).events or ()
    frames = [sse.frame(event, NO_FAULT).decode() for event in events]
    usage = (
        '"usage":{"input_tokens":7,"cache_creation_input_tokens":0,'
        '"cache_read_input_tokens":2,"output_tokens":1'
    )
    assert frames == [
        (
            'event: message_start\ndata: {"type":"message_start","message":'
            '{"id":"msg_sim000000000007","type":"message","role":"assistant","model":"m",'
            f'"content":[],"stop_reason":null,"stop_sequence":null,{usage},'
            '"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},'
            '"service_tier":"standard"}}}\n\n'
        ),
        'event: ping\ndata: {"type":"ping"}\n\n',
        (
            'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
            '"content_block":{"type":"text","text":""}}\n\n'
        ),
        (
            'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
            '"delta":{"type":"text_delta","text":" tok00000"}}\n\n'
        ),
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
        (
            'event: message_delta\ndata: {"type":"message_delta","delta":'
            f'{{"stop_reason":"end_turn","stop_sequence":null}},{usage}}}}}\n\n'
        ),
        'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ]


def test_thinking_is_signed_before_its_block_stops() -> None:
    events = stream(parse_spec("r2-n1"))
    deltas = [data["delta"] for name, data in events if name == "content_block_delta"]
    thought = "".join(delta.get("thinking", "") for delta in deltas)
    assert [delta["type"] for delta in deltas] == [
        "thinking_delta",
        "thinking_delta",
        "signature_delta",
        "text_delta",
    ]
    assert deltas[2]["signature"] == sign(thought)
    whole = ask(parse_spec("r2-n1"))["content"]
    assert whole[0] == {"type": "thinking", "thinking": thought, "signature": sign(thought)}


def test_parallel_tools_come_one_after_the_other() -> None:
    asked = [{"role": "user", "content": "call:a,b"}]
    tools = [tool("a"), tool("b", {"type": "object"})]
    events = stream(messages=asked, tools=tools)
    indices = [data["index"] for name, data in events if name.startswith("content_block")]
    assert indices == sorted(indices)
    deltas = [data for name, data in events if name == "content_block_delta"]
    first = "".join(data["delta"]["partial_json"] for data in deltas if data["index"] == 0)
    assert json.loads(first) == {"city": "demo city"}
    assert [data["delta"]["partial_json"] for data in deltas if data["index"] == 1] == [""]
    whole = ask(messages=asked, tools=tools)
    assert whole["stop_reason"] == "tool_use"
    assert [block["input"] for block in whole["content"]] == [{"city": "demo city"}, {}]


@pytest.mark.parametrize(
    ("choice", "asked", "names"),
    [
        ({"type": "auto"}, "hi", []),
        ({"type": "any"}, "hi", ["a"]),
        ({"type": "any"}, "call:b", ["b"]),
        ({"type": "tool", "name": "b"}, "hi", ["b"]),
        ({"type": "none"}, "call:a", []),
        ({"type": "auto", "disable_parallel_tool_use": True}, "call:a,b", ["a"]),
    ],
)
def test_tool_choice(choice: dict[str, Any], asked: str, names: list[str]) -> None:
    messages = [{"role": "user", "content": asked}]
    answer = ask(messages=messages, tools=[tool("a"), tool("b")], tool_choice=choice)
    assert [block["name"] for block in answer["content"] if block["type"] == "tool_use"] == names


@pytest.mark.parametrize(
    ("spec", "prompt", "read", "written"),
    [("p100", 100, 0, 0), ("p100-ca60", 40, 60, 0), ("p100-ca60-cw30", 10, 60, 30)],
)
def test_cached_tokens_are_not_input_tokens(
    spec: str, prompt: int, read: int, written: int
) -> None:
    usage = ask(parse_spec(spec))["usage"]
    assert usage["input_tokens"] == prompt
    assert usage["cache_read_input_tokens"] == read
    assert usage["cache_creation_input_tokens"] == written
    noted = anthropic_messages.answer(call(parse_spec(spec))).usage or {}
    assert noted["prompt_tokens"] == 100


def test_usage_can_be_missing() -> None:
    assert "usage" not in ask(parse_spec("nousage"))
    events = dict(stream(parse_spec("nousage")))
    assert "usage" not in events["message_delta"]
    assert "usage" not in events["message_start"]["message"]


@pytest.mark.parametrize(
    ("body", "reason", "sequence"),
    [
        ({}, "end_turn", None),
        ({"max_tokens": 2}, "max_tokens", None),
        ({"stop_sequences": ["0004", "tok00003"]}, "stop_sequence", "tok00003"),
        ({"stop_sequences": ["tok00003"], "max_tokens": 2}, "max_tokens", None),
    ],
)
def test_stop_reasons(body: dict[str, Any], reason: str, sequence: str | None) -> None:
    answer = ask(parse_spec("n9"), **body)
    assert (answer["stop_reason"], answer["stop_sequence"]) == (reason, sequence)


IMAGE = {"type": "image", "source": {"type": "url", "url": "http://x/y.png"}}
USE = {"type": "tool_use", "id": "t1", "name": "a", "input": {"city": "x"}}
CALL = {"id": "t1", "type": "function", "function": {"name": "a", "arguments": '{"city":"x"}'}}


@pytest.mark.parametrize(
    ("anthropic", "openai"),
    [
        ({"messages": HELLO}, HELLO),
        ({"system": "be", "messages": HELLO}, [{"role": "system", "content": "be"}, *HELLO]),
        (
            {"messages": [*HELLO, {"role": "assistant", "content": 'You said: "hel'}]},
            [*HELLO, {"role": "assistant", "content": 'You said: "hel'}],
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, IMAGE]}]},
            [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url"}]}],
        ),
        (
            {
                "messages": [
                    *HELLO,
                    {"role": "assistant", "content": [USE]},
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}
                        ],
                    },
                ]
            },
            [
                *HELLO,
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
            ],
        ),
    ],
)
def test_both_vendors_say_and_count_the_same(
    anthropic: dict[str, Any], openai: list[dict[str, Any]]
) -> None:
    answer = ask(**anthropic)
    message, usage = ask_openai(openai)
    assert answer["content"] == [{"type": "text", "text": message["content"]}]
    assert answer["usage"]["input_tokens"] == usage["prompt_tokens"]
    assert answer["usage"]["output_tokens"] == usage["completion_tokens"]
    counted = json.loads(anthropic_messages.count(call(**anthropic)).body)
    assert counted == {"input_tokens": usage["prompt_tokens"]}


def test_an_answer_that_was_said_already_is_empty() -> None:
    said = ask()["content"][0]["text"]
    again = ask(messages=[*HELLO, {"role": "assistant", "content": said}])
    assert (again["content"], again["stop_reason"]) == ([], "end_turn")


def test_structured_answers() -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    answer = ask(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert json.loads(answer["content"][0]["text"]) == {"age": 1}


def test_error_event() -> None:
    event = error_event(call())
    assert event.name == "error"
    assert json.loads(event.data) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
        "request_id": "req_sim000000000007",
    }


def test_garbage_has_the_name_of_the_event_it_stands_before() -> None:
    events = anthropic_messages.answer(call(stream=True)).events or ()
    planned = list(sse.plan(events, parse_spec("j4"), error_event(call())))
    assert (planned[3].kind.value, planned[3].name) == ("garbage", "content_block_delta")


@pytest.mark.parametrize("path", ["/v1/messages", "/anthropic/v1/messages", "/a/b/v1/messages"])
def test_routes_under_any_prefix(path: str) -> None:
    assert find_route("POST", path)[0].vendor.name == "anthropic"
    assert find_route("POST", f"{path}/count_tokens")[0].answer is anthropic_messages.count


def test_a_header_tells_what_both_vendors_have() -> None:
    for path in ("/v1/models", "/v1/models/m"):
        assert find_route("GET", path)[0].vendor.name == "openai"
        assert find_route("GET", path, is_anthropic=True)[0].vendor.name == "anthropic"
    assert find_route("GET", "/v1/x")[0] is NO_ROUTE
    assert find_route("GET", "/v1/x", is_anthropic=True)[0] is NO_ANTHROPIC_ROUTE
