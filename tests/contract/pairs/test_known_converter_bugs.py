"""What converters between the two dialects are known to get wrong, each as a test of its own."""

import json
from typing import Any

import pytest

from gateway.protocols import anthropic_messages, openai_chat, sse
from gateway.protocols.events import Event

Json = dict[str, Any]
Readers = openai_chat.Reader | anthropic_messages.Reader
Writers = openai_chat.Writer | anthropic_messages.Writer

USER = {"role": "user", "content": "a"}
TOOL = {"type": "function", "function": {"name": "f"}}


def to_openai(**fields: object) -> Json:
    body = {"model": "m", "max_tokens": 9, "messages": [USER], **fields}
    call = anthropic_messages.decode_request(json.dumps(body).encode())
    converted: Json = json.loads(openai_chat.encode_request(call))
    return converted


def to_anthropic(**fields: object) -> Json:
    body = {"model": "m", "messages": [USER], **fields}
    call = openai_chat.decode_request(json.dumps(body).encode())
    converted: Json = json.loads(anthropic_messages.encode_request(call))
    return converted


def stream(reader: Readers, writer: Writers, datas: list[Json]) -> list[Json]:
    """The events of the client's stream that hold JSON."""
    events: list[Event] = []
    for data in datas:
        events += reader.read(sse.frame(json.dumps(data).encode()))
    events += reader.end()
    written = sse.Splitter().feed(b"".join(writer.write(event) for event in events))
    told = [sse.data_of(event) for event in written]
    return [json.loads(data) for data in told if data and data != b"[DONE]"]


def chunk(finish: str | None = None, **delta: object) -> Json:
    return {"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def tool(index: int, arguments: str, id_: str | None = None) -> Json:
    function = {"name": "f", "arguments": arguments} if id_ else {"arguments": arguments}
    return chunk(tool_calls=[{"index": index, "id": id_, "function": function}])


def as_anthropic(*chunks: Json) -> list[Json]:
    return stream(openai_chat.Reader(), anthropic_messages.Writer("m"), list(chunks))


def of_type(kind: str, events: list[Json]) -> list[Json]:
    return [event for event in events if event["type"] == kind]


def test_a_closed_index_is_never_used_again() -> None:
    events = as_anthropic(
        chunk(content="a"),
        tool(0, "{}", "c0"),
        chunk(content="b"),
        chunk("tool_calls"),
    )
    started = [event["index"] for event in of_type("content_block_start", events)]
    assert started == [0, 1, 2]
    assert [event["index"] for event in of_type("content_block_stop", events)] == started


def test_interleaved_calls_get_no_delta_after_their_stop() -> None:
    events = as_anthropic(
        tool(0, "", "c0"),
        tool(1, "", "c1"),
        tool(0, "{}"),
        tool(1, "{}"),
        chunk("tool_calls"),
    )
    stopped = set()
    for event in events:
        assert event.get("index") not in stopped
        if event["type"] == "content_block_stop":
            stopped.add(event["index"])
    assert stopped == {0, 1}


def test_the_end_waits_for_the_usage_that_follows_the_finish() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 7}
    events = as_anthropic(chunk(content="a"), chunk("stop"), {"choices": [], "usage": usage})
    (delta,) = of_type("message_delta", events)
    assert (delta["usage"]["input_tokens"], delta["usage"]["output_tokens"]) == (10, 7)


def test_a_stream_asks_for_its_usage_though_the_client_cannot() -> None:
    assert to_openai(stream=True)["stream_options"] == {"include_usage": True}


def test_a_forced_tool_is_a_choice_of_the_type_tool() -> None:
    choice = {"type": "function", "function": {"name": "f"}}
    converted = to_anthropic(tools=[TOOL], tool_choice=choice)
    assert converted["tool_choice"] == {"type": "tool", "name": "f"}


def test_the_choice_of_a_tool_is_not_ignored() -> None:
    converted = to_openai(tools=[{"name": "f"}], tool_choice={"type": "any"})
    assert converted["tool_choice"] == "required"


def test_content_filter_is_no_stop_reason() -> None:
    events = as_anthropic(chunk(content="a"), chunk("content_filter"))
    assert of_type("message_delta", events)[0]["delta"]["stop_reason"] == "refusal"


def test_a_temperature_of_zero_is_not_dropped() -> None:
    assert to_openai(temperature=0)["temperature"] == 0
    assert to_anthropic(temperature=0)["temperature"] == 0


def test_an_image_by_address_is_not_dropped() -> None:
    url = "https://images.test/a.png"
    block = {"type": "image", "source": {"type": "url", "url": url}}
    part = {"type": "image_url", "image_url": {"url": url}}
    there = to_openai(messages=[{"role": "user", "content": [block]}])
    assert there["messages"][0]["content"] == [part]
    back = to_anthropic(messages=[{"role": "user", "content": [part]}])
    assert back["messages"][0]["content"] == [block]


@pytest.mark.parametrize("id_", ["toolu_01", "call_01", "x"])
def test_ids_of_tools_get_no_prefix_and_lose_none(id_: str) -> None:
    events = as_anthropic(tool(0, "{}", id_), chunk("tool_calls"))
    assert of_type("content_block_start", events)[0]["content_block"]["id"] == id_
    block = {"type": "tool_use", "id": id_, "name": "f", "input": {}}
    converted = to_openai(messages=[USER, {"role": "assistant", "content": [block]}])
    assert converted["messages"][1]["tool_calls"][0]["id"] == id_


def test_the_user_of_the_metadata_is_not_dropped() -> None:
    assert to_openai(metadata={"user_id": "u"})["user"] == "u"
    assert to_anthropic(user="u")["metadata"] == {"user_id": "u"}


def test_cached_tokens_are_not_counted_twice() -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 800},
    }
    events = as_anthropic(chunk("stop", content="a"), {"choices": [], "usage": usage})
    counted = of_type("message_delta", events)[0]["usage"]
    assert (counted["input_tokens"], counted["cache_read_input_tokens"]) == (200, 800)


def test_text_is_not_joined_with_line_feeds() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    body = json.dumps({"content": blocks, "stop_reason": "end_turn"}).encode()
    answer = openai_chat.encode_answer(anthropic_messages.decode_answer(body), "m")
    assert json.loads(answer)["choices"][0]["message"]["content"] == "ab"
    converted = to_openai(messages=[USER, {"role": "assistant", "content": blocks}])
    assert converted["messages"][1]["content"] == "ab"


def test_arguments_that_cannot_be_read_do_not_become_none_at_all() -> None:
    function = {"name": "f", "arguments": '{"x": '}
    message = {"tool_calls": [{"id": "c", "type": "function", "function": function}]}
    answer = openai_chat.decode_answer(json.dumps({"choices": [{"message": message}]}).encode())
    written = json.loads(anthropic_messages.encode_answer(answer, "m"))
    assert written["content"][0]["input"] == {"_raw_arguments": '{"x": '}


def test_the_budget_for_thinking_does_not_cut_the_answer() -> None:
    converted = to_openai(thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=8000)
    assert converted["max_tokens"] == 8000
    assert "max_completion_tokens" not in converted


def test_places_of_calls_count_calls_and_not_blocks() -> None:
    events: list[Json] = [
        {"type": "message_start", "message": {"id": "msg_1"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "t", "name": "f"},
        },
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    ]
    chunks = stream(anthropic_messages.Reader(), openai_chat.Writer("m"), events)
    calls = [
        call
        for told in chunks
        for choice in told["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]
    assert [call["index"] for call in calls] == [0, 0]
    assert "".join(call["function"]["arguments"] for call in calls) == "{}"
