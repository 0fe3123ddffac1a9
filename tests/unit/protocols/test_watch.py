"""Streams are watched the same way wherever their bytes are cut, and their words stay theirs."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamError
from gateway.protocols import sse
from gateway.protocols.events import ItemKind, Position
from gateway.protocols.exchange import Seen
from gateway.protocols.openai_chat.watch import Watcher, read_answer
from gateway.providers.classify import Classifying

USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def chunk(delta: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    choice = {"index": fields.pop("index", 0), "delta": delta or {}, "finish_reason": None}
    choice["finish_reason"] = fields.pop("finish", None)
    return {"id": "c1", "object": "chat.completion.chunk", "model": "up", "choices": [choice]} | (
        fields
    )


def framed(*events: dict[str, Any] | str, end: str = "\n", space: bool = False) -> bytes:
    separators = (", ", ": ") if space else (",", ":")
    texts = [
        event if isinstance(event, str) else json.dumps(event, separators=separators)
        for event in events
    ]
    return "".join(f"data: {text}{end}{end}" for text in texts).encode()


STREAM: list[dict[str, Any] | str] = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "Hm, 好."}),
    chunk({"content": "Hello \r\n\n data: 🙂"}),
    chunk({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": "{"}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"model":"up"}'}}]}),
    chunk(finish="tool_calls"),
    chunk(choices=[], usage=USAGE),
    "[DONE]",
]


def watch(watcher: Watcher, chunks: list[bytes]) -> list[Seen]:
    splitter = sse.Splitter()
    events = [event for data in chunks for event in splitter.feed(data)]
    rest = splitter.rest()
    return [watcher.see(event) for event in ([*events, rest] if rest else events)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("space", [False, True])
def test_a_stream_cut_at_every_byte_is_seen_as_a_whole_one(end: str, *, space: bool) -> None:
    stream = b": hello\n\n" + framed(*STREAM, end=end, space=space)
    whole, cut = Watcher("asked"), Watcher("asked")
    seen = watch(whole, [stream])
    assert watch(cut, [stream[at : at + 1] for at in range(len(stream))]) == seen
    assert cut.usage == whole.usage == [("input", "", 9), ("output", "", 4)]
    assert cut.finished
    assert whole.finished
    assert "".join(event.text for event in seen) == 'Hm, 好.Hello \r\n\n data: 🙂f{"model":"up"}'
    assert seen[-1].is_done
    assert [event.is_usage_only for event in seen].count(True) == 1


PIECES = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.lists(PIECES, max_size=6), st.data())
def test_cuts_anywhere_change_nothing(pieces: list[str], data: st.DataObject) -> None:
    stream = framed(*(chunk({"content": piece}) for piece in pieces), chunk(finish="stop"))
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted))
    edges = [0, *places, len(stream)]
    parts = [stream[start:end] for start, end in itertools.pairwise(edges)]
    seen = watch(Watcher("asked"), parts)
    assert seen == watch(Watcher("asked"), [stream])
    assert "".join(event.text for event in seen) == "".join(pieces)


def test_nothing_but_the_name_of_the_model_is_changed() -> None:
    for space in (False, True):
        stream = framed(*STREAM, space=space)
        seen = watch(Watcher("asked"), [stream])
        member = '"model": "up"' if space else '"model":"up"'
        expected = stream.decode().replace(member, member.replace("up", "asked"))
        assert b"".join(event.event for event in seen).decode() == expected
        assert b"".join(e.event for e in watch(Watcher("up"), [stream])) == stream


@pytest.mark.parametrize(
    "document",
    [
        '{"model":"a/b","choices":[]}',
        '{"model":"a\\/b","choices":[]}',
        '{ "model"\t:\n"a/b" , "choices":[]}',
        '{"m\\u006fdel":"a/b","choices":[]}',
        '{"inner":{"model":"a/b"},"model":"a/b","choices":[]}',
        '{"inner":{"model":"other"},"model":"a/b","choices":[]}',
    ],
)
def test_the_vendors_name_is_replaced_however_it_is_written(document: str) -> None:
    event = sse.frame(document.encode(), "message")
    seen = Watcher('my-"model"').see(event)
    found = json.loads(sse.data_of(seen.event))
    assert found["model"] == 'my-"model"'
    assert b"a/b" not in seen.event
    assert sse.name_of(seen.event) == b"message"
    answer = json.loads(document) | {"choices": [{"message": {"content": "x"}}]}
    whole = read_answer(json.dumps(answer).encode(), "asked")
    assert json.loads(whole.body)["model"] == "asked"


def test_a_name_that_changes_half_way_is_replaced_all_the_same() -> None:
    watcher = Watcher("asked")
    for model in ("one", "two", "asked", "one"):
        event = framed(chunk({"content": "x"}) | {"model": model})
        assert json.loads(sse.data_of(watcher.see(event).event))["model"] == "asked"


def test_a_stream_is_finished_when_every_choice_is() -> None:
    watcher = Watcher("up")
    for event in (chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk(finish="stop")):
        watcher.see(framed(event))
    assert not watcher.finished
    watcher.see(framed(chunk(finish="stop", index=1)))
    assert watcher.finished
    watcher.see(framed(chunk(usage=USAGE)))  # some send the usage with an empty choice
    assert watcher.finished


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({"id": 7, "created": 1750000000.25}, ("7", 1750000000)),
        ({"id": None, "created": None}, ("", None)),
        ({"id": {}, "created": "now"}, ("", None)),
    ],
)
def test_where_a_stream_stands_is_known_however_odd_its_head(
    head: dict[str, Any], expected: tuple[str, int | None]
) -> None:
    watcher = Watcher("up")
    watcher.see(framed(chunk({"content": "a"}) | head))
    position = watcher.position()
    assert position is not None
    assert (position.id, position.created) == expected


AT_TEXT = Position("c1", 7, 1, 0, ItemKind.TEXT)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([chunk(choices=[], usage=USAGE)], None),
        ([chunk({"role": "assistant"})], AT_TEXT),
        ([chunk({"content": "a"}), chunk({"content": "b"})], AT_TEXT),
        ([chunk({"reasoning_content": "Hm"}), chunk({"content": "a"})], AT_TEXT),
        ([chunk({"content": "a"}), chunk({"content": "b"}, index=1)], None),
        ([chunk({"tool_calls": [{"index": 0, "function": {"name": "f"}}]})], None),
        ([chunk({"content": "a"}), chunk(finish="stop")], None),
    ],
)
def test_where_a_stream_stands(events: list[dict[str, Any]], expected: Position | None) -> None:
    watcher = Watcher("asked")
    for event in events:
        watcher.see(framed({**event, "created": 7}))
    assert watcher.position() == expected


def test_the_answers_text_is_told_apart_from_all_that_was_written() -> None:
    seen = watch(Watcher("asked"), [framed(*STREAM)])
    assert "".join(event.said for event in seen) == "Hello \r\n\n data: 🙂"
    assert [event.is_tool for event in seen].count(True) == 2


def test_bytes_that_are_over_are_an_end_only_if_everything_was_said() -> None:
    watcher = Watcher("asked")
    watcher.see(framed(chunk({"content": "a"})))
    last = watcher.end()
    assert (last.event, last.is_done, last.is_interrupted) == (b"", False, True)
    watcher.see(framed(chunk(finish="stop")))
    assert watcher.end() == Seen(b"data: [DONE]\n\n", is_done=True)


@pytest.mark.parametrize("data", ["{", "nope", "[1]", '"text"', "1", "null", "<html>", "{}}"])
def test_what_is_no_object_is_garbage(data: str) -> None:
    assert Watcher("up").see(f"data: {data}\n\n".encode()).is_garbage
    assert Watcher("up").see(b"data: {\xff}\n\n").is_garbage


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error":{"message":"no"}}\n\n',
        b'data: {"error":"no"}\n\n',
        b'event: error\ndata: {"message":"no"}\n\n',
        b'data: {"choices":[{"delta":{"content":"x"}}],"error":{"code":1}}\n\n',
    ],
)
def test_errors_are_seen_in_every_shape(event: bytes) -> None:
    seen = Watcher("up").see(event)
    assert seen.problem is not None
    assert seen.problem.message or seen.problem.code
    assert seen.event == b""
    assert not seen.is_content


def test_an_error_is_recorded_without_keys_and_without_odd_bytes() -> None:
    event = framed({"error": {"message": "key sk-abcdefghijkl at https://a.test/x \0"}})
    problem = Watcher("up").see(event).problem
    assert problem is not None
    reason = str(Classifying().classify_event(problem, "").context["vendor"])
    assert reason.startswith("key [key] at [address]")
    assert "sk-" not in reason
    assert "a.test" not in reason
    assert "\0" not in reason


@pytest.mark.parametrize("done", ["data: [DONE]\n\n", "data:[DONE]\n\n", "data: [DONE] \r\n\r\n"])
def test_the_end_is_seen_in_every_manner_of_writing(done: str) -> None:
    watcher = Watcher("up")
    watcher.see(framed(chunk(finish="stop")))
    assert watcher.see(done.encode()).is_done


def test_an_error_of_null_is_no_error() -> None:
    event = framed(chunk({"content": "x"}, error=None))
    assert Watcher("up").see(event).is_content
    body = {"model": "up", "error": None, "choices": [{"message": {"content": "x"}}]}
    assert read_answer(json.dumps(body).encode(), "up").body == json.dumps(body).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"<html></html>",
        b'{"choices":[]}',
        b'{"choices":[{}]}',
        b'{"choices":null}',
        b'{"choices":[{"message":null}]}',
        b'{"choices":[{"message":{"content":"x"}},{}]}',
        b'{"error":{"message":"no"}}',
        b'{"error":"no","choices":[{"message":{"content":"x"}}]}',
        b'{"choices":[{"message":{"content":"x"}}]',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b"[" * 5_000 + b"]" * 5_000,
        b'data: {"choices":[]}\n\n',
    ],
)
def test_what_is_no_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read_answer(body, "asked")


def test_an_answer_without_usage_is_estimated_by_its_words() -> None:
    calls = [{"function": {"name": "four", "arguments": "{}"}}]
    message = {"content": [{"type": "text", "text": "1234"}], "tool_calls": calls}
    body = {"model": "up", "choices": [{"message": message}, {"message": {"content": "12"}}]}
    answer = read_answer(json.dumps(body).encode(), "up")
    assert answer.usage is None
    assert answer.output_estimate == 3
