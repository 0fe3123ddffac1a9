"""Server-sent events are cut where they end, however the bytes arrive."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols import sse

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
WORDS = st.text(alphabet=st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=12).map(
    str.encode
)
FIELDS = st.sampled_from([b"data: ", b"data:", b"event: ", b": ", b"id: ", b"retry:", b"unknown"])
LINES = st.tuples(FIELDS, WORDS, LINE_ENDS).map(b"".join)
EVENTS = st.tuples(st.lists(LINES, max_size=4).map(b"".join), LINE_ENDS).map(b"".join)
STREAMS = st.tuples(st.sampled_from([b"", b"\xef\xbb\xbf"]), st.lists(EVENTS).map(b"".join)).map(
    b"".join
)


def split(*chunks: bytes) -> list[bytes]:
    splitter = sse.Splitter()
    return [event for chunk in chunks for event in splitter.feed(chunk)] + [splitter.rest()]


@given(STREAMS)
def test_a_stream_cut_at_every_byte_gives_the_same_events_as_a_whole_one(stream: bytes) -> None:
    assert split(*(stream[at : at + 1] for at in range(len(stream)))) == split(stream)


@given(STREAMS, st.data())
def test_cuts_anywhere_make_no_difference(stream: bytes, data: st.DataObject) -> None:
    places = st.lists(st.integers(0, len(stream)), max_size=4).map(sorted)
    cuts = [0, *data.draw(places), len(stream)]
    chunks = [stream[start:end] for start, end in itertools.pairwise(cuts)]
    assert split(*chunks) == split(stream)


@given(STREAMS)
def test_no_byte_is_lost_or_added(stream: bytes) -> None:
    assert b"".join(split(stream)) == stream


@given(st.lists(WORDS.filter(bool), min_size=1, max_size=5), LINE_ENDS)
def test_every_event_is_found_with_every_line_end(words: list[bytes], end: bytes) -> None:
    stream = b"".join(b"data: " + word + end + end for word in words)
    *events, left = split(stream, b"data: last")
    assert [sse.data_of(event) for event in events] == words
    assert left == b"data: last"


def test_one_chunk_may_bring_many_events_and_the_beginning_of_the_next() -> None:
    splitter = sse.Splitter()
    assert splitter.feed(b"data: 1\n\ndata: 2\n\nda") == [b"data: 1\n\n", b"data: 2\n\n"]
    assert splitter.feed(b"ta: 3\n\n") == [b"data: 3\n\n"]
    assert splitter.rest() == b""


def test_a_lone_carriage_return_ends_an_event_without_waiting_for_the_next() -> None:
    assert sse.Splitter().feed(b"data: 1\r\r") == [b"data: 1\r\r"]


def test_a_cut_between_carriage_return_and_line_feed_is_no_end_of_an_event() -> None:
    splitter = sse.Splitter()
    assert splitter.feed(b"data: 1\r\n\r") == []
    assert splitter.feed(b"\ndata: 2\r\n\r\n") == [b"data: 1\r\n\r\n", b"data: 2\r\n\r\n"]


def test_what_is_left_is_given_once() -> None:
    splitter = sse.Splitter()
    splitter.feed(b"data: [DONE]\n")
    assert splitter.rest() == b"data: [DONE]\n"
    assert splitter.rest() == b""


def test_an_event_beyond_the_limit_is_refused() -> None:
    splitter = sse.Splitter(limit_bytes=100)
    splitter.feed(b"data: " + b"x" * 90)
    with pytest.raises(sse.EventTooLargeError):
        splitter.feed(b"x" * 20)


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b'data: {"a":1}\n\n', b'{"a":1}'),
        (b'data:{"a":1}\n\n', b'{"a":1}'),
        (b"data:  two spaces\n\n", b" two spaces"),
        (b"data: one\ndata: two\n\n", b"one\ntwo"),
        (b"data: one\r\ndata:two\r\n\r\n", b"one\ntwo"),
        (b"data: one\rdata: two\r\r", b"one\ntwo"),
        (b"data: one\rdata: two\n\n", b"one\ntwo"),
        (b": comment\ndata: x\n\n", b"x"),
        (b"event: ping\nid: 7\ndata: {}\n\n", b"{}"),
        (b"\xef\xbb\xbfdata: first\n\n", b"first"),
        (b"\ndata: after a blank line\n\n", b"after a blank line"),
        (b"data: unfinished", b"unfinished"),
        (b"data: unfinished\n", b"unfinished"),
        (b"data\n\n", b""),
        (b"data: a\ndata\n\n", b"a\n"),
        (b"database: x\n\n", b""),
        (b": comment\n\n", b""),
        (b"", b""),
    ],
)
def test_data_is_what_the_data_lines_say(event: bytes, data: bytes) -> None:
    assert sse.data_of(event) == data


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (b"event: error\ndata: {}\n\n", b"error"),
        (b"event:error\r\ndata: {}\r\n\r\n", b"error"),
        (b"event: a\nevent: b\n\n", b"b"),
        (b"data: {}\n\n", None),
        (b'data: {"event":1}\n\n', None),
    ],
)
def test_the_name_is_the_last_event_line(event: bytes, name: bytes | None) -> None:
    assert sse.name_of(event) == name


@pytest.mark.parametrize(
    ("event", "alone"),
    [
        (sse.HEARTBEAT, True),
        (b"\n\n", True),
        (b":\r\n\r\n", True),
        (b": PROCESSING\n\n", True),
        (b"data: x\n\n", False),
        (b": comment\ndata: x\n\n", False),
        (b"event: ping\n\n", False),
    ],
)
def test_comments_alone_are_recognised(event: bytes, alone: bool) -> None:  # noqa: FBT001
    assert sse.is_comment_only(event) is alone


@given(st.binary(max_size=40).map(lambda data: data.replace(b"\r", b"")), st.none() | st.just("x"))
def test_framed_data_is_read_back(data: bytes, name: str | None) -> None:
    event = sse.frame(data, name)
    assert split(event) == [event, b""]
    assert sse.data_of(event) == data
    assert sse.name_of(event) == (name.encode() if name else None)
