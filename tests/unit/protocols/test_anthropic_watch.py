"""Anthropic streams are watched as they go by, and changed in one place only."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamError
from gateway.protocols import sse
from gateway.protocols.anthropic_messages.watch import STOP_EVENT, Watcher, read_answer
from gateway.protocols.events import ItemKind, Position
from gateway.protocols.exchange import Seen
from gateway.providers.classify import Classifying


def event(kind: str, **fields: Any) -> bytes:  # noqa: ANN401
    return sse.frame(json.dumps({"type": kind, **fields}).encode(), kind)


def start(**usage: int) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": []}
    return event("message_start", message={**message, "usage": usage})


def begin(index: int, kind: str, **fields: object) -> bytes:
    return event("content_block_start", index=index, content_block={"type": kind, **fields})


def delta(index: int, **fields: str) -> bytes:
    return event("content_block_delta", index=index, delta={"type": "x", **fields})


def end(index: int) -> bytes:
    return event("content_block_stop", index=index)


def ending(reason: str | None = "end_turn", **usage: int | None) -> bytes:
    return event("message_delta", delta={"stop_reason": reason}, usage=usage)


PING = event("ping")
STOP = event("message_stop")
ARGUMENTS = '{"model": "up"}'
STREAM = [
    start(input_tokens=5, cache_read_input_tokens=3, output_tokens=1),
    PING,
    begin(0, "thinking", thinking="", signature=""),
    delta(0, thinking="Hm, 好."),
    delta(0, signature="signed"),
    end(0),
    begin(1, "text", text=""),
    delta(1, text="Hello \r\n\n data: 🙂"),
    end(1),
    begin(2, "tool_use", id="t", name="f", input={}),
    delta(2, partial_json=ARGUMENTS),
    end(2),
    ending("tool_use", output_tokens=40),
    STOP,
]


def watched(*events: bytes) -> tuple[Watcher, list[Seen]]:
    watcher = Watcher("asked")
    return watcher, [watcher.see(one) for one in events]


def test_a_stream_is_heard_in_full() -> None:
    watcher, seen = watched(*STREAM)
    assert "".join(one.text for one in seen) == f"Hm, 好.Hello \r\n\n data: 🙂f{ARGUMENTS}"
    assert "".join(one.said for one in seen) == "Hello \r\n\n data: 🙂"
    assert [n for n, one in enumerate(seen) if one.is_content] == [3, 7, 9, 10]
    assert [n for n, one in enumerate(seen) if one.is_tool] == [9, 10]
    assert [one.is_finish for one in seen].index(True) == 12
    assert [one.is_done for one in seen] == [False] * 13 + [True]
    assert seen[0].is_chunk
    assert watcher.finished
    assert watcher.garbage == 0


def test_the_name_is_exchanged_in_the_first_event_and_nowhere_else() -> None:
    for separators in ((",", ":"), (", ", ": ")):
        stream = [
            sse.frame(
                json.dumps(json.loads(sse.data_of(one)), separators=separators).encode(),
                (sse.name_of(one) or b"").decode(),
            )
            for one in STREAM
        ]
        _, seen = watched(*stream)
        assert [one.event for one in seen[1:]] == stream[1:]
        expected = stream[0].replace(b'"up"', b'"asked"')
        assert seen[0].event == expected


def test_unknown_fields_and_events_go_on_byte_for_byte() -> None:
    strange = [
        b'data: {"type":"message_start","message":{"model":"asked","new":[1.10,1e2]}}\n\n',
        b'data: {"type":"content_block_delta","index":0,"delta":{"citation":{"a": 1.0}}}\n\n',
        b'event: something_new\ndata: {"type":"something_new","x":[1]}\n\n',
        b"event: nothing\n: comment\ndata: {}\n\n",
    ]
    _, seen = watched(*strange)
    assert [one.event for one in seen] == strange


@given(st.lists(st.integers(0, 2_000), max_size=6).map(sorted))
def test_cuts_anywhere_change_nothing(places: list[int]) -> None:
    stream = b"".join(STREAM)
    edges = [0, *(min(place, len(stream)) for place in places), len(stream)]
    splitter = sse.Splitter()
    parts = [stream[start:end] for start, end in itertools.pairwise(edges)]
    events = [one for part in parts for one in splitter.feed(part)]
    assert watched(*events)[1] == watched(*STREAM)[1]


def used(watcher: Watcher, *events: bytes) -> dict[str, int]:
    for one in events:
        watcher.see(one)
    return {name: quantity for name, _, quantity in watcher.usage or ()}


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (
            {"input_tokens": 5, "output_tokens": 1},
            {"output_tokens": 40},
            {"input": 5, "output": 40},
        ),
        # The last event repeats what the first has said, which is not counted twice.
        (
            {"input_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2},
            {
                "input_tokens": 5,
                "cache_read_input_tokens": 3,
                "cache_creation_input_tokens": 2,
                "output_tokens": 4,
            },
            {"input": 5, "output": 4, "cached_input": 3, "cache_write": 2},
        ),
        # Or leaves it out, or says null or nothing.
        (
            {"input_tokens": 5, "cache_read_input_tokens": 3},
            {"output_tokens": 4, "cache_read_input_tokens": None, "input_tokens": 0},
            {"input": 5, "output": 4, "cached_input": 3},
        ),
        # Or corrects it.
        (
            {"input_tokens": 5, "output_tokens": 1},
            {"input_tokens": 7, "output_tokens": 4},
            {"input": 7, "output": 4},
        ),
        ({}, {"input_tokens": 5, "output_tokens": 4}, {"input": 5, "output": 4}),
    ],
)
def test_the_usage_of_both_ends_is_one(
    first: dict[str, int], last: dict[str, int | None], expected: dict[str, int]
) -> None:
    watcher, _ = watched(start(**first), begin(0, "text", text=""), delta(0, text="x"), end(0))
    assert watcher.usage is None, "what the beginning says of the output is not meant"
    assert used(watcher, ending("end_turn", **last), STOP) == expected


def test_a_stream_without_its_last_event_is_complete() -> None:
    watcher, _ = watched(*STREAM[:-1])
    assert watcher.finished
    assert watcher.end() == Seen(STOP_EVENT, is_done=True)


@pytest.mark.parametrize("count", range(13))
def test_a_stream_without_a_reason_to_stop_was_broken_off(count: int) -> None:
    watcher, _ = watched(*STREAM[:count])
    last = watcher.end()
    assert (last.event, last.is_done, last.is_interrupted) == (b"", False, True)
    assert last.problem is not None
    assert watcher.usage is None


def test_a_stop_without_a_reason_is_no_end() -> None:
    for events in (STREAM[:12], [*STREAM[:12], ending(None, output_tokens=4)]):
        watcher, _ = watched(*events)
        last = watcher.see(STOP)
        assert (last.event, last.is_done, last.is_interrupted) == (b"", False, True)


HEAD = [start(input_tokens=1)]
TEXT = [begin(0, "text", text=""), delta(0, text="a")]
THOUGHTS = [begin(0, "thinking", thinking=""), delta(0, thinking="a")]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        (HEAD, Position("msg_1", None, 0)),
        ([*HEAD, PING, *TEXT], Position("msg_1", None, 1, 0, ItemKind.TEXT)),
        ([*HEAD, *TEXT, end(0)], Position("msg_1", None, 1)),
        ([*HEAD, *THOUGHTS], Position("msg_1", None, 1, 0, ItemKind.REASONING)),
        (
            [*HEAD, *THOUGHTS, end(0), begin(1, "text", text="")],
            Position("msg_1", None, 2, 1, ItemKind.TEXT),
        ),
        ([*HEAD, *TEXT, end(0), begin(1, "tool_use", id="t", name="f")], None),
        ([*HEAD, begin(0, "server_tool_use", id="t", name="search"), end(0)], None),
        (STREAM, None),
    ],
)
def test_where_a_stream_stands(events: list[bytes], expected: Position | None) -> None:
    assert watched(*events)[0].position() == expected


@pytest.mark.parametrize("data", ["{", "nope", "[1]", '"text"', "1", "null", "<html>", "{}}"])
def test_what_is_no_object_is_garbage(data: str) -> None:
    watcher, [seen] = watched(f"event: content_block_delta\ndata: {data}\n\n".encode())
    assert seen.is_garbage
    assert watcher.garbage == 1


def test_an_error_is_a_problem_and_nothing_for_the_client() -> None:
    error = {"type": "overloaded_error", "message": "Overloaded sk-abcdefghijkl"}
    _, [seen] = watched(event("error", error=error))
    assert seen.event == b""
    assert not seen.is_interrupted
    assert seen.problem is not None
    classified = Classifying().classify_event(seen.problem, "")
    assert classified.upstream_status == 529
    assert "sk-" not in str(classified.context["vendor"])
    _, [untold] = watched(event("error"))
    assert untold.problem is not None


def answer(**fields: Any) -> bytes:  # noqa: ANN401
    content = [{"type": "text", "text": "Hello you"}]
    return json.dumps({"type": "message", "model": "up", "content": content, **fields}).encode()


def test_an_answer_keeps_its_bytes_but_for_the_name() -> None:
    tool = {"type": "tool_use", "name": "f", "input": {"model": "down", "n": 1.10}}
    body = answer(content=[tool], usage={"input_tokens": 3, "output_tokens": 2}, new=[1])
    read = read_answer(body, "asked")
    assert read.body == body.replace(b'"up"', b'"asked"')
    assert read.usage == [("input", "", 3), ("output", "", 2)]
    assert read.output_estimate == 0
    assert read_answer(body, "up").body is body


def test_an_answer_whose_tool_speaks_of_the_same_name_keeps_it_there() -> None:
    tool = {"type": "tool_use", "name": "f", "input": {"model": "up"}}
    found = json.loads(read_answer(answer(content=[tool]), "asked").body)
    assert (found["model"], found["content"][0]["input"]) == ("asked", {"model": "up"})


def test_an_answer_without_usage_is_estimated_by_its_words() -> None:
    content = [
        {"type": "thinking", "thinking": "1234"},
        {"type": "text", "text": "1234"},
        {"type": "tool_use", "name": "four", "input": {}},
    ]
    read = read_answer(answer(content=content), "up")
    assert (read.usage, read.output_estimate) == (None, 4)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"<html></html>",
        b'{"type":"message"}',
        b'{"type":"message","content":null}',
        b'{"type":"error","error":{"message":"no"}}',
        b'{"type":"error","content":[]}',
        b'{"type":"message","content":[{"type":"text","text":"\xff"}]}',
        b"[" * 5_000 + b"]" * 5_000,
        b'data: {"type":"message","content":[]}\n\n',
    ],
)
def test_what_is_no_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read_answer(body, "asked")
