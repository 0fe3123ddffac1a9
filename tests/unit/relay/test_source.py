"""What the relay hears of an upstream's stream, and when it believes that it is an answer."""

from types import SimpleNamespace
from typing import cast

import pytest

from gateway.errors import UpstreamError, UpstreamInterruptedError, UpstreamTimeoutError
from gateway.protocols import sse
from gateway.protocols.exchange import Seen
from gateway.protocols.openai_chat.watch import Watcher
from gateway.providers.classify import Classifying
from gateway.relay.attempts import Try
from gateway.relay.legs import first_content
from gateway.relay.source import Buffered, EventSource, Source, WholeAnswer
from gateway.transport import UpstreamResponse

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
ERROR = b'data: {"error":{"message":"no"}}\n\n'
DONE = b"data: [DONE]\n\n"

ATTEMPT = cast(
    "Try", SimpleNamespace(error_of=lambda problem: Classifying().classify_event(problem, ""))
)


class Bytes:
    """A response that has all come already."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)
        self.is_closed = False
        self.silence_seconds: float | None = None

    async def next_chunk(self) -> bytes:
        return self.parts.pop(0) if self.parts else b""

    def limit_silence(self, seconds: float) -> None:
        self.silence_seconds = seconds

    def close(self) -> None:
        self.is_closed = True


def source(*parts: bytes, total_seconds: float = 60) -> EventSource:
    return EventSource(cast("UpstreamResponse", Bytes(*parts)), Watcher("asked"), total_seconds)


async def first(stream: Source, *, is_last: bool = False) -> list[Seen]:
    return await first_content(ATTEMPT, stream, is_last=is_last)


async def rest(stream: Source) -> list[Seen]:
    """Up to and with the event that ends the stream."""
    seen: list[Seen] = []
    while not seen or not (seen[-1].is_done or seen[-1].problem):
        seen += await stream.next()
    return seen


def told(seen: list[Seen]) -> bytes:
    return b"".join(one.event for one in seen)


async def test_everything_up_to_the_first_word_is_held() -> None:
    stream = source(b": hello\n\n", ROLE, WORD, WORD + FINISH + DONE)
    assert told(await first(stream)) == b": hello\n\n" + ROLE + WORD
    assert told(await rest(stream)) == WORD + FINISH + DONE
    assert stream.watcher.finished


async def test_an_empty_answer_is_one_once_it_says_why_it_ended() -> None:
    assert len(await first(source(ROLE, FINISH, DONE))) == 2


async def test_where_no_other_could_answer_the_first_event_is_enough() -> None:
    stream = source(b": hello\n\n", ROLE, WORD)
    assert told(await first(stream, is_last=True)) == b": hello\n\n" + ROLE


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [ROLE],
        [b"<html><body>Hello.</body></html>"],
        [b'{"choices":[{"message":{"content":"whole"}}]}'],
        [b": ping\n\n", b": ping\n\n"],
        [b"data: garbage\n\n"],
        [ROLE, b"data: {"],
    ],
)
async def test_a_stream_without_a_word_is_no_answer(parts: list[bytes]) -> None:
    with pytest.raises(UpstreamInterruptedError):
        await first(source(*parts))


@pytest.mark.parametrize("parts", [[DONE], [b": ping\n\n", DONE], [ROLE, DONE]])
async def test_a_terminator_alone_is_no_answer(parts: list[bytes]) -> None:
    with pytest.raises(UpstreamInterruptedError):
        await first(source(*parts))


@pytest.mark.parametrize("parts", [[ERROR], [ROLE, ERROR], [ROLE + WORD[:9], WORD[9:-2], ERROR]])
async def test_an_error_before_the_first_word_is_a_failure(parts: list[bytes]) -> None:
    with pytest.raises(UpstreamError):
        await first(source(*parts))


async def test_an_error_in_the_same_bytes_as_the_first_word_is_a_failure_too() -> None:
    with pytest.raises(UpstreamError):
        await first(source(ROLE + WORD + ERROR))


async def test_garbage_does_not_go_on_even_at_the_end() -> None:
    stream = source(ROLE + WORD, b"data: garbage\n\n" + WORD, b'data: {"choices":[{"ind')
    seen = await rest(stream)
    assert told(seen) == ROLE + WORD + WORD
    assert seen[-1].is_interrupted
    assert stream.watcher.garbage == 2
    assert not stream.watcher.finished


async def test_a_last_event_without_its_blank_line_counts() -> None:
    stream = source(WORD + FINISH[:-2])
    seen = await rest(stream)
    assert told(seen) == WORD + FINISH + DONE
    assert seen[-1].is_done
    assert stream.watcher.finished


async def test_an_answer_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(UpstreamTimeoutError):
        await first(source(WORD, total_seconds=-1))


async def test_an_event_without_end_is_given_up() -> None:
    stream = source(b"data: ", *([b"x" * 1024] * 40))
    stream._splitter = sse.Splitter(limit_bytes=16 * 1024)
    with pytest.raises(UpstreamInterruptedError):
        await first(stream)


async def test_closing_gives_the_connection_up() -> None:
    for parts in ([WORD, FINISH, DONE], [WORD, WORD]):
        response = Bytes(*parts)
        stream = EventSource(cast("UpstreamResponse", response), Watcher("asked"), 60)
        await first(stream)
        await stream.close()
        assert response.is_closed


async def test_a_complete_stream_is_read_to_its_end_so_that_its_connection_is_kept() -> None:
    response = Bytes(WORD + FINISH, DONE, b"never read")
    stream = EventSource(cast("UpstreamResponse", response), Watcher("asked"), 60)
    await first(stream)
    await stream.close()
    assert response.parts == [b"never read"]


async def test_a_buffered_stream_is_given_at_once_whatever_its_end() -> None:
    for parts, is_done in (([ROLE, WORD, FINISH, DONE], True), ([ROLE, WORD], False)):
        response = Bytes(*parts)
        stream = Buffered(EventSource(cast("UpstreamResponse", response), Watcher("asked"), 60))
        stream.limit_silence(7)
        seen = await stream.next()
        assert told(seen) == b"".join(parts)
        assert (seen[-1].is_done, seen[-1].is_interrupted) == (is_done, not is_done)
        await stream.close()
        assert (response.is_closed, response.silence_seconds) == (True, 7)


async def test_a_buffered_stream_gives_nothing_of_what_breaks_off() -> None:
    with pytest.raises(UpstreamInterruptedError):
        await first(Buffered(source(ROLE, WORD)))


async def test_a_whole_answer_is_a_stream_of_its_own() -> None:
    events = [Seen(WORD, "word", is_content=True), Seen(DONE, is_done=True)]
    stream = WholeAnswer(events, Watcher("asked"))
    stream.limit_silence(1)
    assert await first(stream) == events
    await stream.close()
