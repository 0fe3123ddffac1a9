"""Chat answers and streams: what is written is read back, and clients get what they expect."""

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.protocols import events, sse
from gateway.protocols.canonical import (
    Answer,
    Audio,
    Finish,
    Item,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    UpstreamProblem,
    Usage,
    count,
)
from gateway.protocols.openai_chat import Reader, Writer, answer

TEXT = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=20)
WORD = st.text(alphabet="abcXYZ_-09", min_size=1, max_size=8)
QUANTITY = st.integers(1, 10**9)
ARGUMENTS = st.dictionaries(WORD, TEXT, max_size=2).map(json.dumps)


DELTAS = (events.TextDelta, events.ReasoningDelta, events.RefusalDelta, events.ArgumentsDelta)
OPENINGS = (events.ItemStarted, events.ToolCallStarted)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    parts = ("cached_input", "cache_write", "audio_input", "reasoning", "audio_output")
    usage: Usage = [("input", "", draw(QUANTITY)), ("output", "", draw(QUANTITY))]
    return usage + [(name, "", draw(QUANTITY)) for name in parts if draw(st.booleans())]


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Answers in the form that this dialect can express without loss."""
    items: list[Item] = [
        kind(draw(TEXT)) for kind in (Reasoning, Text, Refusal) if draw(st.booleans())
    ]
    calls = draw(st.integers(0, 3))
    for n in range(calls):
        state = draw(st.none() | st.dictionaries(WORD, TEXT, max_size=1))
        items.append(ToolCall(f"c{n}", draw(WORD), draw(ARGUMENTS), state))
    ends = [Finish.LENGTH, Finish.CONTENT_FILTER]
    ends.append(Finish.TOOL_CALLS if calls else Finish.STOP)
    return Answer(
        id="chatcmpl-" + draw(WORD),
        model="m",
        items=tuple(items),
        finish=draw(st.sampled_from(ends)),
        usage=draw(st.none() | usages()),
        created=draw(st.integers(1, 2**33)),
    )


def fold(told: list[events.Event]) -> Answer:
    """A complete stream as the answer it is."""
    start, end = told[0], told[-1]
    assert isinstance(start, events.Started)
    assert isinstance(end, events.Finished)
    said: dict[int, str] = defaultdict(str)
    for event in told:
        if isinstance(event, DELTAS):
            said[event.index] += event.text
    opened = [event for event in told if isinstance(event, OPENINGS)]
    usages = [event.usage for event in told if isinstance(event, events.UsageReported)]
    return Answer(
        id=start.id,
        model=start.model,
        items=tuple(item(event, said[event.index]) for event in opened),
        finish=end.finish,
        usage=usages[-1] if usages else None,
        created=start.created,
    )


def item(opened: events.ItemStarted | events.ToolCallStarted, text: str) -> Item:
    if isinstance(opened, events.ToolCallStarted):
        return ToolCall(opened.id, opened.name, text, opened.extra_content)
    if opened.kind is events.ItemKind.REASONING:
        return Reasoning(text)
    return Text(text) if opened.kind is events.ItemKind.TEXT else Refusal(text)


def stream(whole: Answer, *, include_usage: bool | None = None) -> bytes:
    """With its usage where there is one: otherwise the client would get an estimate."""
    asked = whole.usage is not None if include_usage is None else include_usage
    writer = Writer(whole.model, include_usage=asked)
    return b"".join(writer.write(event) for event in events.replay(whole))


def read(data: bytes, size: int) -> list[events.Event]:
    splitter, reader = sse.Splitter(), Reader()
    told: list[events.Event] = []
    for at in range(0, len(data), size):
        for event in splitter.feed(data[at : at + size]):
            told += reader.read(event)
    return told + reader.end()


def chunks(data: bytes) -> list[dict[str, Any]]:
    *wire, done, nothing = data.split(b"\n\n")
    assert (done, nothing) == (b"data: [DONE]", b"")
    return [json.loads(chunk.removeprefix(b"data: ")) for chunk in wire]


@given(answers())
def test_an_answer_that_was_written_is_read_back(whole: Answer) -> None:
    assert answer.decode(answer.encode(whole, whole.model)) == whole


@given(answers(), st.integers(1, 50))
def test_a_streamed_answer_is_the_same_answer_wherever_it_is_cut(whole: Answer, size: int) -> None:
    data = stream(whole)
    assert read(data, size) == read(data, len(data))
    assert fold(read(data, size)) == whole


@given(answers())
def test_the_official_client_can_read_every_answer_and_chunk(whole: Answer) -> None:
    ChatCompletion.model_validate_json(answer.encode(whole, "asked"), strict=True)
    for chunk in chunks(stream(whole)):
        ChatCompletionChunk.model_validate(chunk)


@given(answers(), st.booleans())
def test_every_stream_has_one_role_one_finish_and_usage_only_if_asked(
    whole: Answer,
    include_usage: bool,  # noqa: FBT001
) -> None:
    told = chunks(stream(whole, include_usage=include_usage))
    assert {(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in told} == {
        (whole.id, whole.created, whole.model, "chat.completion.chunk")
    }
    choices = [choice for chunk in told for choice in chunk["choices"]]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    reasons = [choice["finish_reason"] for choice in choices]
    assert set(reasons[:-1]) <= {None}
    assert reasons[-1] is not None
    usage = [chunk for chunk in told if not chunk["choices"]]
    assert len(usage) == include_usage
    if usage:
        assert usage == [told[-1]]


@given(usages())
def test_totals_on_the_wire_are_sums_of_what_does_not_overlap(usage: Usage) -> None:
    whole = Answer(id="x", model="m", items=(), finish=Finish.STOP, usage=usage)
    wire = json.loads(answer.encode(whole, "m"))["usage"]
    prompt = count(usage, "input", "cached_input", "cache_write", "audio_input")
    assert wire["prompt_tokens"] == prompt
    assert wire["total_tokens"] == sum(quantity for _, _, quantity in usage)
    assert wire["prompt_tokens_details"]["cached_tokens"] == count(usage, "cached_input")


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.STOP, "stop"),
        (Finish.STOP_SEQUENCE, "stop"),
        (Finish.PAUSE, "stop"),
        (Finish.LENGTH, "length"),
        (Finish.CONTEXT_WINDOW, "length"),
        (Finish.TOOL_CALLS, "tool_calls"),
        (Finish.REFUSAL, "content_filter"),
        (Finish.CONTENT_FILTER, "content_filter"),
    ],
)
def test_every_way_to_end_has_a_finish_reason(finish: Finish, reason: str) -> None:
    whole = Answer(id="x", model="m", items=(), finish=finish)
    assert json.loads(answer.encode(whole, "m"))["choices"][0]["finish_reason"] == reason
    assert chunks(stream(whole))[-1]["choices"][0]["finish_reason"] == reason


def test_an_answer_of_another_dialect_gets_an_id_a_date_and_the_asked_name() -> None:
    items = (Text("a"), Text("b"), ToolCall("toolu_1", "f", ""))
    whole = Answer(id="msg_1", model="upstream", items=items, finish=Finish.TOOL_CALLS)
    wire = json.loads(answer.encode(whole, "asked"))
    assert (wire["id"], wire["object"], wire["model"]) == (
        "chatcmpl-msg_1",
        "chat.completion",
        "asked",
    )
    assert wire["created"] > 1_700_000_000
    assert "usage" not in wire
    assert wire["choices"][0]["message"]["content"] == "ab"
    assert wire["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_calls_are_counted_from_zero_and_may_interleave() -> None:
    writer = Writer("m")
    told: list[events.Event] = [
        events.Started("chatcmpl-1", "x", 1),
        events.ItemStarted(0, events.ItemKind.TEXT),
        events.TextDelta(0, "a"),
        events.ItemEnded(0),
        events.ToolCallStarted(1, "c0", "f"),
        events.ToolCallStarted(2, "c1", "g"),
        events.ArgumentsDelta(2, "{"),
        events.ItemEnded(1),
        events.ArgumentsDelta(2, "}"),
        events.ItemEnded(2),
        events.SignatureDelta(0, "never shown"),
        events.Finished(Finish.TOOL_CALLS),
    ]
    wire = chunks(b"".join(map(writer.write, told)))
    calls = [
        (call["index"], call.get("id"), call["function"]["arguments"])
        for chunk in wire
        for call in chunk["choices"][0]["delta"].get("tool_calls", ())
    ]
    assert calls == [
        (0, "c0", ""),
        (1, "c1", ""),
        (1, None, "{"),
        (0, None, "{}"),
        (1, None, "}"),
    ]


def test_a_ping_is_a_comment_and_a_failure_is_an_error_without_a_terminator() -> None:
    writer = Writer("m")
    writer.write(events.Started("chatcmpl-1", "x"))
    assert writer.write(events.Pinged()) == sse.HEARTBEAT
    problem = UpstreamProblem("Bad key sk-abcdef123456 at https://vendor.test/v1")
    error = json.loads(sse.data_of(writer.write(events.Failed(problem))))["error"]
    assert error == {
        "message": "Bad key [key] at [address]",
        "type": "server_error",
        "code": "upstream_error",
        "param": None,
    }
    broken = writer.write(events.Failed(problem, interrupted=True))
    assert json.loads(sse.data_of(broken))["error"]["code"] == "upstream_interrupted"
    assert b"[DONE]" not in broken


def test_a_whole_answer_is_replayed_item_by_item() -> None:
    items = (Reasoning("", redacted="xyz"), Reasoning("hm", "sig"), Audio(id="a"), Text("So."))
    whole = Answer(id="msg_1", model="m", items=items, finish=Finish.STOP)
    assert list(events.replay(whole)) == [
        events.Started("msg_1", "m"),
        events.ItemStarted(0, events.ItemKind.REASONING, "xyz"),
        events.ItemEnded(0),
        events.ItemStarted(1, events.ItemKind.REASONING),
        events.ReasoningDelta(1, "hm"),
        events.SignatureDelta(1, "sig"),
        events.ItemEnded(1),
        events.ItemStarted(2, events.ItemKind.TEXT),
        events.TextDelta(2, "So."),
        events.ItemEnded(2),
        events.Finished(Finish.STOP),
    ]
