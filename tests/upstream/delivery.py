"""Puts a reply on the wire, breaks where the fault says so, notes what really left."""

import asyncio
from collections.abc import Iterator

from aiohttp import web

from tests.upstream import sse
from tests.upstream.exchange import Exchange, pause
from tests.upstream.reply import Event, Kind, Reply


async def deliver(exchange: Exchange, reply: Reply, error: Event) -> web.StreamResponse:
    entry = exchange.entry
    entry.status, entry.usage = reply.status, reply.usage
    headers = {"Content-Type": reply.content_type, **reply.headers}
    if reply.events is not None:
        entry.stream = not reply.is_raw
        response = web.StreamResponse(status=reply.status, headers=headers)
        events = sse.plan(reply.events, exchange.fault, error)
        await EventWriter(exchange, response, is_raw=reply.is_raw).run(events)
        return response
    if exchange.fault.stops_whole_body:
        return await _deliver_slowly(exchange, reply, headers)
    whole = web.Response(body=reply.body, status=reply.status, headers=headers)
    await whole.prepare(exchange.request)
    await whole.write_eof()
    _note_whole(exchange, reply)
    return whole


async def _deliver_slowly(
    exchange: Exchange, reply: Reply, headers: dict[str, str]
) -> web.StreamResponse:
    """Headers, a stop or a break, body."""
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.content_length = len(reply.body)
    await response.prepare(exchange.request)
    await pause(exchange.fault.first_event_ms)
    await exchange.wait_at("0")
    half = len(reply.body) // 2
    await response.write(reply.body[:half])
    exchange.entry.bytes_written += half
    if await exchange.break_off(None):
        return response
    await response.write(reply.body[half:])
    exchange.entry.bytes_written -= half
    await response.write_eof()
    _note_whole(exchange, reply)
    await exchange.wait_at("end")
    return response


def _note_whole(exchange: Exchange, reply: Reply) -> None:
    entry = exchange.entry
    entry.bytes_written += len(reply.body)
    entry.content_pieces_written = reply.pieces
    entry.completed = entry.finish_sent = reply.is_answer and reply.status < 300
    entry.usage_sent = reply.usage is not None and "nousage" not in exchange.fault.flags


class EventWriter:
    """Writes one stream event by event; a raw one has only the data of its events."""

    def __init__(
        self, exchange: Exchange, response: web.StreamResponse, *, is_raw: bool = False
    ) -> None:
        self.is_raw = is_raw
        self.exchange = exchange
        self.entry = exchange.entry
        self.fault = exchange.fault
        self.response = response
        self.count = 0
        self.held: list[Event] = []
        self.gap_seconds = (self.fault.gap_ms or 0) / 1000
        self.due = 0.0
        # A gate stops a stream once, however many finish events several choices have.
        self.places = {place for _name, place in self.fault.gates}

    async def run(self, events: Iterator[Event]) -> None:
        batch = self.fault.batch or 1
        self.response.enable_chunked_encoding()
        await self.response.prepare(self.exchange.request)
        await pause(self.fault.first_event_ms)
        for event in events:
            if await self._stops(*_places(event)):
                return
            await self._pace()
            self.held.append(event)
            self.count += 1
            if len(self.held) >= batch:
                await self._flush()
        if await self._stops("end"):
            return
        await self._flush()
        await self.response.write_eof()
        self.entry.completed = self.entry.finish_sent

    async def _stops(self, *places: str) -> bool:
        for here in self.places & {str(self.count), *places} if self.places else ():
            self.places.discard(here)
            await self._flush()
            await self.exchange.wait_at(here)
        if self.fault.breaks_at(self.count):
            await self._flush()
            return await self.exchange.break_off(self.count)
        return False

    async def _pace(self) -> None:
        """Keep to a schedule instead of adding up the errors of many short sleeps."""
        if not self.gap_seconds:
            return
        now = asyncio.get_running_loop().time()
        if now < self.due:
            await asyncio.sleep(self.due - now)
            self.due += self.gap_seconds
        else:
            late = bool(self.due) and now - self.due < self.gap_seconds
            self.due = (self.due if late else now) + self.gap_seconds

    async def _flush(self) -> None:
        if not self.held:
            return
        data = b"".join([self._frame(event) for event in self.held])
        parts = sse.fragments(data) if "split" in self.fault.flags else (data,)
        for part in parts:
            await self.response.write(part)
            self.entry.bytes_written += len(part)
            # One turn of the loop, or uvloop would join this write with the next one.
            await asyncio.sleep(0)
        for event in self.held:
            self._note(event)
        self.held.clear()

    def _frame(self, event: Event) -> bytes:
        return event.data if self.is_raw else sse.frame(event, self.fault)

    def _note(self, event: Event) -> None:
        entry = self.entry
        entry.events_written += 1
        entry.content_pieces_written += event.pieces
        entry.usage_sent = entry.usage_sent or event.reports_usage
        if event.kind is Kind.FINISH:
            entry.finish_sent = True
        elif event.kind is Kind.DONE:
            entry.done_sent = True


def _places(event: Event) -> tuple[str, ...]:
    """The names a gate before this event may have."""
    return (event.kind.value, "usage") if event.reports_usage else (event.kind.value,)
