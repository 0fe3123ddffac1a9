"""What the relay hears of an upstream's stream, and when it believes that it is an answer."""

from typing import cast

import pytest

from gateway.errors import UpstreamError, UpstreamInterruptedError, UpstreamTimeoutError
from gateway.protocols import sse
from gateway.protocols.openai_chat.watch import Watcher
from gateway.relay.source import Source
from gateway.transport import UpstreamResponse

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
ERROR = b'data: {"error":{"message":"no"}}\n\n'
DONE = b"data: [DONE]\n\n"


class Bytes:
    """A response that has all come already."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)
        self.is_closed = False

    async def next_chunk(self) -> bytes:
        return self.parts.pop(0) if self.parts else b""

    def close(self) -> None:
        self.is_closed = True


def source(*parts: bytes, total_seconds: float = 60) -> Source:
    return Source(cast("UpstreamResponse", Bytes(*parts)), Watcher("asked"), total_seconds)


async def rest(stream: Source) -> bytes:
    events = b""
    while not stream.is_over:
        events += b"".join([seen.event for seen in await stream.next()])
    return events


async def test_everything_up_to_the_first_word_is_held() -> None:
    stream = source(b": hello\n\n", ROLE, WORD, WORD + FINISH + DONE)
    held = await stream.first(is_last=False)
    assert b"".join(seen.event for seen in held) == b": hello\n\n" + ROLE + WORD
    assert await rest(stream) == WORD + FINISH + DONE
    assert stream.watcher.finished


async def test_an_empty_answer_is_one_once_it_says_why_it_ended() -> None:
    assert len(await source(ROLE, FINISH, DONE).first(is_last=False)) == 2


async def test_where_no_other_could_answer_the_first_event_is_enough() -> None:
    stream = source(b": hello\n\n", ROLE, WORD)
    assert b"".join([s.event for s in await stream.first(is_last=True)]) == b": hello\n\n" + ROLE


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
        await source(*parts).first(is_last=False)


@pytest.mark.parametrize("parts", [[ERROR], [ROLE, ERROR], [ROLE + WORD[:9], WORD[9:-2], ERROR]])
async def test_an_error_before_the_first_word_is_a_failure(parts: list[bytes]) -> None:
    with pytest.raises(UpstreamError):
        await source(*parts).first(is_last=False)


async def test_garbage_does_not_go_on_even_at_the_end() -> None:
    stream = source(ROLE + WORD, b"data: garbage\n\n" + WORD, b'data: {"choices":[{"ind')
    assert await rest(stream) == ROLE + WORD + WORD
    assert not stream.watcher.finished


async def test_a_last_event_without_its_blank_line_counts() -> None:
    stream = source(WORD + FINISH[:-2])
    assert await rest(stream) == WORD + FINISH
    assert stream.watcher.finished


async def test_an_answer_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(UpstreamTimeoutError):
        await source(WORD, total_seconds=-1).first(is_last=False)


async def test_an_event_without_end_is_given_up() -> None:
    stream = source(b"data: ", *([b"x" * 1024] * 40))
    stream._splitter = sse.Splitter(limit_bytes=16 * 1024)
    with pytest.raises(UpstreamInterruptedError):
        await stream.first(is_last=False)


async def test_closing_gives_the_connection_up() -> None:
    for parts in ([WORD, FINISH, DONE], [WORD, WORD]):
        response = Bytes(*parts)
        stream = Source(cast("UpstreamResponse", response), Watcher("asked"), 60)
        await stream.first(is_last=False)
        await stream.close()
        assert response.is_closed
