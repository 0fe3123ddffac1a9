"""One upstream's part of a stream: usually the whole of it, opened up to its first content."""

import asyncio
from dataclasses import dataclass

from gateway.errors import Blame, UpstreamError, UpstreamInterruptedError, UpstreamTimeoutError
from gateway.protocols.events import Position
from gateway.protocols.exchange import Seen, Wish
from gateway.protocols.splice import DIFFERENT
from gateway.relay.attempts import Try
from gateway.relay.preparing import prepared
from gateway.relay.source import Buffered, EventSource, Source, WholeAnswer, ends
from gateway.transport import UpstreamResponse

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Leg:
    """An open upstream stream whose first content is here."""

    attempt: Try
    source: Source
    first: list[Seen]


@dataclass(frozen=True, slots=True)
class Resumption:
    """How a leg goes on with what another has begun."""

    position: Position
    wish: Wish
    # None: the upstream continues; else it answers afresh, beginning with this.
    delivered: str | None


async def open_leg(attempt: Try, resumption: Resumption | None = None) -> Leg:
    """Send and read up to the first content; raises UpstreamError before it."""
    wish = resumption.wish if resumption else attempt.wish()
    wish = await prepared(attempt, wish)
    response: UpstreamResponse | None = None
    is_open = False
    try:
        async with asyncio.timeout(_patience_seconds(attempt, resumption)):
            response = await attempt.send(wish)
            source = await _source(attempt, response, resumption)
            # Where nobody else could answer, nothing is gained by waiting for content.
            is_last = not attempt.has_alternative and resumption is None
            first = await first_content(attempt, source, is_last=is_last)
        source.limit_silence(attempt.first_answer_seconds())
        if attempt.target.traits.stream_buffer == "full":
            first += await _rest(attempt, source, first)
        is_open = True
        attempt.entry.fetched.clear()  # of no more use but to a rescue
    except TimeoutError as error:
        raise UpstreamTimeoutError from error
    finally:
        if not is_open and response is not None:
            response.close()
    return Leg(attempt, source, first)


def _patience_seconds(attempt: Try, resumption: Resumption | None) -> float:
    """What is written afresh takes its time until it says something new."""
    if resumption is not None and resumption.delivered is not None:
        return attempt.limit("total_seconds")
    return attempt.first_answer_seconds()


async def _rest(attempt: Try, source: Source, first: list[Seen]) -> list[Seen]:
    """What follows up to the end of the answer; raises UpstreamError if it does not get there."""
    if ends(first[-1]):
        return []
    if any(seen.is_content for seen in first):
        source.limit_silence(attempt.limit("idle_seconds"))
    rest = await Buffered(source).next()
    raise_if_broken(attempt, rest[-1])
    return rest


async def _source(
    attempt: Try, response: UpstreamResponse, resumption: Resumption | None
) -> Source:
    if response.headers.get("content-type", "").startswith(JSON):
        return await _whole(attempt, response, resumption)
    if resumption is None:
        watcher = attempt.exchange.watch()
    else:
        watcher = attempt.exchange.resume(resumption.position, resumption.delivered)
    return EventSource(response, watcher, attempt.limit("total_seconds"))


async def _whole(
    attempt: Try, response: UpstreamResponse, resumption: Resumption | None
) -> WholeAnswer:
    """The upstream did not stream: its answer becomes the events that were asked for."""
    if resumption is not None:
        raise UpstreamError("A stream was to go on, and the answer is none.")
    body = await response.read(attempt.deps.settings.upstream.max_answer_bytes)
    response.close()
    watcher, events = attempt.replay(body)
    return WholeAnswer(events, watcher)


async def first_content(attempt: Try, source: Source, *, is_last: bool) -> list[Seen]:
    """Everything up to the first event with content; raises UpstreamError before it."""
    held: list[Seen] = []
    while True:
        batch = await source.next()
        held += batch
        if batch and not is_last:
            # Words that came together with the break have not been sent: another may answer.
            raise_if_broken(attempt, batch[-1])
        for seen in batch:
            raise_if_broken(attempt, seen)
            if seen.is_done and not source.watcher.finished:
                raise UpstreamInterruptedError  # nothing was said but that this is the end
            if seen.is_content or seen.is_finish or seen.is_done or (is_last and seen.is_chunk):
                return held


def raise_if_broken(attempt: Try, seen: Seen) -> None:
    """Raises the UpstreamError that an event stands for, if it reports one."""
    if seen.problem is DIFFERENT.problem:
        # Another text is no failure: the health of nobody suffers from it.
        raise UpstreamInterruptedError(blame=Blame.CALLER)
    if seen.is_interrupted:
        raise UpstreamInterruptedError
    if seen.problem is not None:
        raise attempt.error_of(seen.problem)
