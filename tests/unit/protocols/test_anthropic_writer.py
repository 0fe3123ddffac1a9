"""Writing Anthropic streams: what no recorded stream of another dialect brings about."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols import sse
from gateway.protocols.anthropic_messages import Reader, Writer
from gateway.protocols.anthropic_messages.signatures import is_ours, sign
from gateway.protocols.canonical import (
    Answer,
    Finish,
    Reasoning,
    Text,
    ToolCall,
    UpstreamProblem,
)
from gateway.protocols.events import (
    ArgumentsDelta,
    Event,
    Failed,
    Finished,
    ItemEnded,
    ItemKind,
    ItemStarted,
    Pinged,
    Position,
    ReasoningDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ToolCallStarted,
    UsageReported,
    replay,
)

Json = dict[str, Any]

BEGIN = Started("msg_1", "m")
END = Finished(Finish.STOP)


def write(writer: Writer, events: Iterable[Event]) -> list[Json]:
    stream = b"".join(writer.write(event) for event in events)
    return [
        json.loads(sse.data_of(event))
        for event in sse.Splitter().feed(stream)
        if not sse.is_comment_only(event)
    ]


def blocks(events: list[Json]) -> list[str]:
    """The stream of blocks in short: what is begun, said and ended at which index."""
    told = []
    for event in events:
        match event["type"]:
            case "content_block_start":
                told.append(f"{event['index']} {event['content_block']['type']}")
            case "content_block_delta":
                (said,) = (v for k, v in event["delta"].items() if k != "type")
                told.append(f"{event['index']} {'signed' if is_ours(said) else said}")
            case "content_block_stop":
                told.append(f"{event['index']} end")
    return told


def text(index: int, words: str) -> list[Event]:
    return [ItemStarted(index, ItemKind.TEXT), TextDelta(index, words), ItemEnded(index)]


def test_a_ping_is_a_comment_until_the_message_has_begun() -> None:
    writer = Writer("m")
    assert writer.write(Pinged()) == sse.HEARTBEAT
    writer.write(BEGIN)
    assert writer.write(Pinged()) == b'event: ping\ndata: {"type":"ping"}\n\n'


def test_the_prompt_is_estimated_until_the_vendor_has_counted() -> None:
    usage = [("input", "", 5), ("output", "", 3)]
    events = write(Writer("m", input_tokens=11), [BEGIN, UsageReported(usage), END])
    assert events[0]["message"]["usage"]["input_tokens"] == 11
    assert events[-2]["usage"]["input_tokens"] == 5


def test_a_client_that_wants_no_usage_is_told_the_least_that_the_dialect_demands() -> None:
    usage = [("input", "", 5), ("output", "", 3)]
    events = write(Writer("m", include_usage=False), [BEGIN, UsageReported(usage), END])
    assert events[-2]["usage"] == {"output_tokens": 3}


def test_a_vendors_signature_is_passed_on_and_no_other_put_beside_it() -> None:
    events: list[Event] = [
        ItemStarted(0, ItemKind.REASONING),
        ReasoningDelta(0, "hm"),
        SignatureDelta(0, "vendor"),
        ItemEnded(0),
    ]
    told = blocks(write(Writer("m"), [BEGIN, *events, END]))
    assert told == ["0 thinking", "0 hm", "0 vendor", "0 end"]


def test_thoughts_without_a_signature_get_that_of_the_whole_thought() -> None:
    thought: list[Event] = [ItemStarted(0, ItemKind.REASONING)]
    thought += [ReasoningDelta(0, "h"), ReasoningDelta(0, "m"), ItemEnded(0)]
    told = write(Writer("m"), [BEGIN, *thought, END])
    assert told[-4]["delta"] == {"type": "signature_delta", "signature": sign("hm")}


def test_redacted_thoughts_are_a_block_of_their_own_without_a_signature() -> None:
    events: list[Event] = [ItemStarted(0, ItemKind.REASONING, "b3BhcXVl"), ItemEnded(0)]
    told = write(Writer("m"), [BEGIN, *events, END])
    assert told[2]["content_block"] == {"type": "redacted_thinking", "data": "b3BhcXVl"}
    assert blocks(told) == ["0 redacted_thinking", "0 end"]


def test_a_call_that_ended_while_it_waited_follows_whole() -> None:
    events: list[Event] = [
        ToolCallStarted(0, "c0", "f"),
        ToolCallStarted(1, "c1", "g"),
        ArgumentsDelta(1, "{}"),
        ItemEnded(1),
        ArgumentsDelta(0, "{}"),
        ItemEnded(0),
    ]
    told = blocks(write(Writer("m"), [BEGIN, *events, END]))
    assert told == ["0 tool_use", "0 {}", "0 end", "1 tool_use", "1 {}", "1 end"]


def test_a_waiting_call_is_written_live_once_it_is_its_turn() -> None:
    writer = Writer("m")
    write(writer, [BEGIN, ToolCallStarted(0, "c0", "f"), ToolCallStarted(1, "c1", "g")])
    assert blocks(write(writer, [ArgumentsDelta(1, "{")])) == []
    assert blocks(write(writer, [ItemEnded(0)])) == ["0 end", "1 tool_use", "1 {"]
    assert blocks(write(writer, [ArgumentsDelta(1, "}")])) == ["1 }"]


def test_whatever_is_still_open_is_closed_at_the_end() -> None:
    events: list[Event] = [
        ItemStarted(0, ItemKind.REASONING),
        ItemStarted(1, ItemKind.TEXT),
        TextDelta(1, "a"),
        ToolCallStarted(2, "c0", "f"),
    ]
    told = write(Writer("m"), [BEGIN, *events, END])
    assert blocks(told) == [
        "0 thinking",
        "0 signed",
        "0 end",
        "1 text",
        "1 a",
        "1 end",
        "2 tool_use",
        "2 end",
    ]
    assert [event["type"] for event in told[-2:]] == ["message_delta", "message_stop"]


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_failure_is_the_last_event(interrupted: bool) -> None:  # noqa: FBT001
    failed = Failed(UpstreamProblem("No at https://vendor.test/v1."), interrupted)
    told = write(Writer("m"), [BEGIN, ToolCallStarted(0, "c0", "f"), failed])
    assert told[-1]["type"] == "error"
    assert told[-1]["error"]["type"] == "api_error"
    assert "vendor.test" not in told[-1]["error"]["message"]


def goes_on(position: Position, events: list[Event]) -> list[str]:
    told = write(Writer("m", position=position), [*events, END])
    assert [event["type"] for event in told[-2:]] == ["message_delta", "message_stop"]
    assert "message_start" not in [event["type"] for event in told]
    return blocks(told)


def test_a_stream_that_another_writer_began_goes_on_at_its_next_index() -> None:
    assert goes_on(Position("msg_1", next_index=2), [BEGIN, *text(0, "b")]) == [
        "2 text",
        "2 b",
        "2 end",
    ]


def test_an_open_text_goes_on() -> None:
    position = Position("msg_1", next_index=2, open_index=1, open_kind=ItemKind.TEXT)
    new = [*text(0, "b"), ToolCallStarted(1, "c0", "f"), ItemEnded(1)]
    assert goes_on(position, new) == ["1 b", "1 end", "2 tool_use", "2 end"]


def test_an_open_text_goes_on_under_the_place_it_has_for_the_client() -> None:
    position = Position("msg_1", next_index=2, open_index=1, open_kind=ItemKind.TEXT)
    spliced: list[Event] = [TextDelta(1, "b"), ItemEnded(1), *text(2, "c")]
    assert goes_on(position, spliced) == ["1 b", "1 end", "2 text", "2 c", "2 end"]


def test_an_open_thought_ends_when_something_else_begins() -> None:
    position = Position("msg_1", next_index=1, open_index=0, open_kind=ItemKind.REASONING)
    assert goes_on(position, text(1, "b")) == ["0 signed", "0 end", "1 text", "1 b", "1 end"]


def test_an_open_block_ends_when_a_call_begins_or_nothing_follows() -> None:
    position = Position("msg_1", next_index=1, open_index=0, open_kind=ItemKind.TEXT)
    called: list[Event] = [ToolCallStarted(1, "c0", "f"), ItemEnded(1)]
    assert goes_on(position, called) == ["0 end", "1 tool_use", "1 end"]
    assert goes_on(position, []) == ["0 end"]


WORDS = st.text(max_size=5)
ITEMS = st.lists(
    st.builds(Text, WORDS.filter(bool))
    | st.builds(Reasoning, WORDS.filter(bool), st.just("vendor"))
    | st.builds(Reasoning, redacted=st.just("b3BhcXVl"))
    | st.builds(
        ToolCall, st.just("c"), st.just("f"), st.sampled_from(["{}", '{"x":1}', '{"y":"é"}'])
    ),
    max_size=4,
)


@given(ITEMS, st.sampled_from([Finish.LENGTH, Finish.TOOL_CALLS, Finish.REFUSAL, Finish.PAUSE]))
def test_what_is_written_is_read_again(items: list[Any], finish: Finish) -> None:
    answer = Answer(
        id="msg_1",
        model="m",
        items=tuple(items),
        finish=finish,
        usage=[("input", "", 5), ("output", "", 3)],
    )
    writer, reader = Writer("m", input_tokens=5), Reader()
    told = list(replay(answer))
    stream = b"".join(writer.write(event) for event in told)
    read = [event for part in sse.Splitter().feed(stream) for event in reader.read(part)]
    aside = UsageReported | Pinged
    assert [event for event in read if not isinstance(event, aside)] == [
        event for event in told if not isinstance(event, aside)
    ]
    assert [event for event in read if isinstance(event, UsageReported)][-1].usage == answer.usage
