"""Streams between dialects, and two upstreams' streams that a client takes for one."""

import itertools
import json
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import clock
from gateway.protocols import sse
from gateway.protocols.events import ItemKind, Position
from gateway.protocols.exchange import Seen, Watcher, Wish
from gateway.protocols.traits import Traits
from tests.unit.protocols.two_dialects import (
    DIALECTS,
    exchange_of,
    heard,
    openai_stream,
    stream_of,
    watch,
    without_end,
)

Items = Sequence[tuple[str, Sequence[str]]]

PAIRS = list(itertools.product(DIALECTS, DIALECTS))
TRIPLES = list(itertools.product(DIALECTS, DIALECTS, DIALECTS))
FINISHES = {"openai": "stop", "anthropic": "end_turn"}

PIECE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5)
PIECES = st.lists(PIECE, min_size=1, max_size=5)


@pytest.fixture(autouse=True, scope="module")
def _standing_clock() -> Iterator[None]:
    """The time of a stream that says none is a test of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now_ms", lambda: 1_800_000_000_000)
        yield


def first_leg(client: str, upstream: str, data: bytes) -> tuple[Watcher, list[Seen]]:
    watcher = exchange_of(client, upstream).watch()
    return watcher, watch(watcher, data)


def second_leg(
    client: str, upstream: str, position: Position, delivered: str | None, data: bytes
) -> list[Seen]:
    return watch(exchange_of(client, upstream).resume(position, delivered), data)


def said_in(seen: Sequence[Seen]) -> str:
    return "".join(one.said for one in seen)


def split(text: str, cuts: Sequence[int]) -> list[str]:
    edges = [0, *sorted(cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges) if start < end]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_stream_means_the_same_in_every_dialect(client: str, upstream: str) -> None:
    items = [
        ("thoughts", ["Hm,", " 好."]),
        ("text", ["Hello", " 🙂\r\n\n"]),
        ("f", ['{"a":', "1}"]),
    ]
    watcher, seen = first_leg(client, upstream, stream_of(upstream, items))
    found = heard(client, b"".join(one.event for one in seen))
    assert (found.thoughts, found.text) == ("Hm, 好.", "Hello 🙂\r\n\n")
    assert found.calls == [["f", '{"a":1}']]
    assert found.finish == {"openai": "tool_calls", "anthropic": "tool_use"}[client]
    assert watcher.finished
    assert watcher.usage == [("input", "", 9), ("output", "", 4)]
    assert "".join(one.text for one in seen) == 'Hm, 好.Hello 🙂\r\n\nf{"a":1}'
    assert said_in(seen) == "Hello 🙂\r\n\n"
    assert [one.is_done for one in seen].count(True) == 1
    assert any(one.is_tool for one in seen)


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_stream_cut_at_any_byte_is_whole_or_broken_and_what_came_of_it_is_proper(
    client: str, upstream: str
) -> None:
    items = [("thoughts", ["Hm."]), ("text", ["Hello", " you"])]
    data = stream_of(upstream, items)
    for cut in range(len(data)):
        watcher, seen = first_leg(client, upstream, data[:cut])
        assert seen[-1].is_done or seen[-1].is_interrupted, cut
        assert seen[-1].is_done is watcher.finished, cut
        for event in sse.Splitter().feed(without_end(seen)):
            data_of = sse.data_of(event)  # some have none, see below
            assert data_of in {b"", b"[DONE]"} or json.loads(data_of), cut


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_event_that_was_cut_before_its_data_does_not_go_on(dialect: str) -> None:
    for rest in (b"data: ", b"data:", b"event: content_block_delta\n", b"event: x\ndata: "):
        data = stream_of(dialect, [("text", ["Hello"])])
        begun = data[: data.index(b"Hello")].rpartition(b"\n\n")[0] + b"\n\n"
        _, seen = first_leg(dialect, dialect, begun + rest)
        _, plain = first_leg(dialect, dialect, begun)
        assert without_end(seen) == without_end(plain), rest


@pytest.mark.parametrize(("client", "before", "after"), TRIPLES)
@given(st.tuples(st.lists(PIECE, max_size=2), PIECES, PIECES), st.data())
@settings(max_examples=40, deadline=None)
def test_a_continued_stream_is_one_stream_wherever_it_was_cut(
    client: str,
    before: str,
    after: str,
    parts: tuple[list[str], list[str], list[str]],
    data: st.DataObject,
) -> None:
    thoughts, pieces, more = parts
    items: Items = [("thoughts", thoughts)] * bool(thoughts) + [("text", pieces)]
    whole = stream_of(before, items)
    watcher, seen = first_leg(client, before, whole[: data.draw(st.integers(0, len(whole)))])
    position = watcher.position()
    told = without_end(seen)
    if position is None:
        assert seen[-1].is_done or not told.strip() or not said_in(seen)
        return
    other: Items = [("thoughts", ["Again."]), ("text", more)]
    again = second_leg(client, after, position, None, stream_of(after, other))
    found = heard(client, _dataless_dropped(told) + without_end(again))
    assert found.text == said_in(seen) + "".join(more)
    assert found.thoughts == "".join(thoughts)[: len(found.thoughts)], "nothing thought twice"
    assert found.finish == FINISHES[client]


@pytest.mark.parametrize(("client", "before", "after"), TRIPLES)
@given(PIECES, st.lists(st.integers(0, 25), max_size=5), st.data())
@settings(max_examples=40, deadline=None)
def test_an_aligned_stream_says_the_whole_text_once_wherever_it_was_cut(
    client: str, before: str, after: str, pieces: list[str], cuts: list[int], data: st.DataObject
) -> None:
    text = "".join(pieces)
    whole = stream_of(before, [("thoughts", ["Hm."]), ("text", pieces)])
    watcher, seen = first_leg(client, before, whole[: data.draw(st.integers(0, len(whole)))])
    position = watcher.position()
    if position is None:
        return
    other: Items = [("thoughts", ["Other."]), ("text", split(text, cuts))]
    again = second_leg(client, after, position, said_in(seen), stream_of(after, other))
    found = heard(client, _dataless_dropped(without_end(seen)) + without_end(again))
    assert found.text == text
    assert said_in(seen) + said_in(again) == text, "and what is charged is what was told"


@pytest.mark.parametrize(("client", "before", "after"), TRIPLES)
def test_an_aligned_stream_joins_at_every_character(client: str, before: str, after: str) -> None:
    text = "Ein Bär 🐻 sagt: 好的."
    for at in range(1, len(text)):
        for size in (1, 3, 50):
            begun = stream_of(before, [("text", [text[:at]])])
            begun = begun[
                : begun.rindex(
                    b"finish_reason" if before == "openai" else b"event: content_block_stop"
                )
            ]
            begun = begun.rpartition(b"\n\n")[0] + b"\n\n"
            watcher, seen = first_leg(client, before, begun)
            position = watcher.position()
            assert position is not None
            assert said_in(seen) == text[:at]
            pieces = [text[n : n + size] for n in range(0, len(text), size)]
            again = second_leg(
                client, after, position, text[:at], stream_of(after, [("text", pieces)])
            )
            found = heard(client, without_end(seen) + without_end(again))
            assert found.text == text
            assert found.kinds in ([], ["text"])


def _dataless_dropped(data: bytes) -> bytes:
    """Without events that were cut before their data, which another test is about."""
    events = sse.Splitter().feed(data)
    return b"".join(it for it in events if sse.data_of(it) or sse.is_comment_only(it))


def broken(client: str, upstream: str, items: Items, before: bytes) -> tuple[Watcher, list[Seen]]:
    """A stream that is broken off where some bytes come for the first time."""
    data = stream_of(upstream, items)
    begun = data[: data.index(before)].rpartition(b"\n\n")[0] + b"\n\n"
    return first_leg(client, upstream, begun)


@pytest.mark.parametrize(("client", "before", "after"), TRIPLES)
def test_a_stream_that_broke_off_in_thought_goes_on_with_the_text(
    client: str, before: str, after: str
) -> None:
    watcher, seen = broken(client, before, [("thoughts", ["Hm", "CUT"])], b"CUT")
    position = watcher.position()
    assert position is not None
    other: Items = [("thoughts", ["No, "]), ("text", ["Yes."])]
    again = second_leg(client, after, position, None, stream_of(after, other))
    found = heard(client, without_end(seen) + without_end(again))
    assert (found.thoughts, found.text) == ("Hm", "Yes.")
    assert found.kinds in ([], ["thinking", "text"])


@pytest.mark.parametrize(("client", "before", "after"), TRIPLES)
@pytest.mark.parametrize(
    "other",
    [[("f", ["{}"])], [("text", [" And"]), ("f", ["{}"])], [("f", ["{}"]), ("text", ["."])]],
)
def test_a_continued_stream_may_call_tools(
    client: str, before: str, after: str, other: Items
) -> None:
    watcher, seen = broken(client, before, [("text", ["So:", "CUT"])], b"CUT")
    position = watcher.position()
    assert position is not None
    again = second_leg(client, after, position, None, stream_of(after, other))
    found = heard(client, without_end(seen) + without_end(again))
    assert found.calls == [["f", "{}"]]
    assert found.text == "So:" + "".join("".join(p) for kind, p in other if kind == "text")
    assert found.finish == {"openai": "tool_calls", "anthropic": "tool_use"}[client]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_stream_that_called_a_tool_cannot_be_gone_on_with(client: str, upstream: str) -> None:
    items = [("text", ["So:"]), ("f", ["{", "CUT"])]
    watcher, _ = broken(client, upstream, items, b"CUT")
    assert watcher.position() is None


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_stream_that_has_not_begun_or_is_over_has_no_position(client: str, upstream: str) -> None:
    assert exchange_of(client, upstream).watch().position() is None
    watcher, _ = first_leg(client, upstream, stream_of(upstream, [("text", ["Hi"])]))
    assert watcher.position() is None


@pytest.mark.parametrize(("client", "before", "after"), TRIPLES)
def test_a_stream_can_break_off_twice(client: str, before: str, after: str) -> None:
    watcher, seen = broken(client, before, [("text", ["One", "CUT"])], b"CUT")
    position = watcher.position()
    assert position is not None
    second = exchange_of(client, after).resume(position, None)
    data = stream_of(after, [("text", [", two", "CUT"])])
    again = watch(second, data[: data.index(b"CUT")].rpartition(b"\n\n")[0] + b"\n\n")
    assert again[-1].is_interrupted
    position = second.position()
    assert position is not None
    last = second_leg(
        client, before, position, "One, two", stream_of(before, [("text", ["One, two, three"])])
    )
    found = heard(client, without_end(seen) + without_end(again) + without_end(last))
    assert found.text == "One, two, three"
    assert found.kinds in ([], ["text"])


@pytest.mark.parametrize(("client", "after"), PAIRS)
@pytest.mark.parametrize(
    "other",
    [
        [("text", ["Hello, me"])],
        [("text", ["hello, you."])],
        [("text", ["Hello"])],
        [("f", ["{}"])],
        [("text", ["Hello"]), ("f", ["{}"])],
        [],
    ],
)
def test_an_answer_that_differs_is_an_interruption_and_never_a_proper_end(
    client: str, after: str, other: Items
) -> None:
    watcher, seen = broken(client, "openai", [("text", ["Hello, you", "CUT"])], b"CUT")
    position = watcher.position()
    assert position is not None
    again = second_leg(client, after, position, said_in(seen), stream_of(after, other))
    assert again[-1].is_interrupted
    assert not any(one.is_done or one.is_finish for one in again)
    assert said_in(again) == ""
    assert all(one.event == b"" or one.is_interrupted or not one.text for one in again)


def test_where_a_stream_stands_is_told_by_kind() -> None:
    assert _position("openai", [("text", ["a", "CUT"])]) == (1, 0, ItemKind.TEXT)
    assert _position("anthropic", [("text", ["a", "CUT"])]) == (1, 0, ItemKind.TEXT)
    thinking = [("thoughts", ["a", "CUT"])]
    assert _position("anthropic", thinking) == (1, 0, ItemKind.REASONING)
    both: Items = [("thoughts", ["a"]), ("text", ["b", "CUT"])]
    assert _position("anthropic", both) == (2, 1, ItemKind.TEXT)


def _position(upstream: str, items: Items) -> tuple[int, int | None, ItemKind | None]:
    watcher, _ = broken("anthropic" if upstream == "openai" else "openai", upstream, items, b"CUT")
    position = watcher.position()
    assert position is not None
    return position.next_index, position.open_index, position.open_kind


QUIET = Wish("up", traits=Traits(thinking_passthrough=False))


@pytest.mark.parametrize(("client", "before"), [("openai", "anthropic"), ("anthropic", "openai")])
def test_hidden_thoughts_leave_no_trace_in_a_stream(client: str, before: str) -> None:
    items = [("thoughts", ["Hm"]), ("text", ["a"]), ("thoughts", ["Hm"]), ("text", ["b"])]
    watcher = exchange_of(client, before, QUIET).watch()
    found = heard(client, b"".join(one.event for one in watch(watcher, stream_of(before, items))))
    assert (found.thoughts, found.text) == ("", "ab")
    assert found.kinds in ([], ["text", "text"])


@pytest.mark.parametrize("after", DIALECTS)
@pytest.mark.parametrize(("client", "before"), [("openai", "anthropic"), ("anthropic", "openai")])
@pytest.mark.parametrize(
    "items",
    [
        [("thoughts", ["Hm"]), ("text", ["So", "CUT"])],
        [("text", ["S"]), ("thoughts", ["Hm"]), ("text", ["o", "CUT"])],
        [("text", ["So"]), ("thoughts", ["Hm", "CUT"])],
        [("thoughts", ["Hm", "CUT"])],
    ],
)
def test_a_stream_whose_thoughts_are_hidden_goes_on_all_the_same(
    client: str, before: str, after: str, items: Items
) -> None:
    watcher = exchange_of(client, before, QUIET).watch()
    data = stream_of(before, items)
    seen = watch(watcher, data[: data.index(b"CUT")].rpartition(b"\n\n")[0] + b"\n\n")
    position = watcher.position()
    assert position is not None
    again = second_leg(client, after, position, None, stream_of(after, [("text", ["!"])]))
    found = heard(client, without_end(seen) + without_end(again))
    assert (found.thoughts, found.text) == ("", said_in(seen) + "!")


SAID = st.lists(st.tuples(st.sampled_from(["text", "thoughts"]), st.lists(PIECE)), max_size=4)
MORE = st.lists(st.tuples(st.sampled_from(["text", "thoughts", "f"]), st.lists(PIECE)), max_size=4)


@pytest.mark.parametrize(("client", "before", "after"), TRIPLES)
@given(st.tuples(SAID, MORE, MORE), st.sampled_from([QUIET, Wish("up")]), st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_is_said_and_wherever_it_breaks_off_twice_it_is_one_stream(
    client: str,
    before: str,
    after: str,
    legs: tuple[Items, Items, Items],
    wish: Wish,
    data: st.DataObject,
) -> None:
    told, said = b"", ""
    watcher = exchange_of(client, before, wish).watch()
    for upstream, items in zip((before, after, before), legs, strict=True):
        if told:
            position = watcher.position()
            if position is None:
                return
            watcher = exchange_of(client, upstream, wish).resume(position, None)
        stream = stream_of(upstream, items)
        cut = len(stream) if items is legs[-1] else data.draw(st.integers(0, len(stream)))
        seen = watch(watcher, stream[:cut])
        told += _dataless_dropped(without_end(seen))
        said += said_in(seen)
        if seen[-1].is_done:
            break
        told = told or sse.HEARTBEAT
    assert heard(client, told).text == said


def test_no_empty_block_is_left_where_only_the_end_was_missing() -> None:
    data = stream_of("anthropic", [("text", ["Hello"])])
    begun = data[: data.index(b"event: message_delta")]
    watcher, seen = first_leg("anthropic", "anthropic", begun)
    position = watcher.position()
    assert position is not None
    again = second_leg(
        "anthropic", "openai", position, "Hello", stream_of("openai", [("text", ["Hello"])])
    )
    found = heard("anthropic", without_end(seen) + without_end(again))
    assert (found.text, found.kinds) == ("Hello", ["text"])


@pytest.mark.parametrize(
    ("before", "id_"), [("openai", "gen-17"), ("openai", ""), ("anthropic", "")]
)
def test_a_clients_stream_keeps_its_id_and_its_time_whatever_they_were(
    before: str, id_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = itertools.count(1_800_000_000_000, 5_000)
    monkeypatch.setattr(clock, "now_ms", lambda: next(now))
    items: Items = [("text", ["Hello", "CUT"])]
    data = openai_stream(items, id_=id_) if before == "openai" else stream_of(before, items)
    begun = data[: data.index(b"CUT")].rpartition(b"\n\n")[0] + b"\n\n"
    watcher, seen = first_leg("openai", before, begun)
    position = watcher.position()
    assert position is not None
    again = second_leg(
        "openai", "anthropic", position, None, stream_of("anthropic", [("text", ["!"])])
    )
    assert heard("openai", without_end(seen) + without_end(again)).text == "Hello!"
