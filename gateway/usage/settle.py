"""Settling: one line in the journal, then the script, then the drain takes over.

Guarantee: after ``settle`` the call will end in one final ledger entry, whatever dies.
The journal line is written before it returns; telling Redis happens behind it and is
repeated from the journal until the drain's watermark has passed the line.
"""

import asyncio
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

from gateway import log
from gateway.admission import Gate, GateClosedError, OpenHolds, Report, Settle
from gateway.admission.events import Settlement, decode_settlement, encode
from gateway.usage.journal import Journal, Segment

REPLAY_AT_ONCE = 200
TOKEN_DIMENSIONS = frozenset(
    ("input", "cached_input", "cache_write", "output", "reasoning", "audio_input", "audio_output")
)

_log = log.get(__name__)


class StreamFullError(GateClosedError):
    """The settlement stream takes nothing until the drain has made room."""


class Settler:
    def __init__(self, gate: Gate, journal: Journal, holds: OpenHolds, max_backlog: int) -> None:
        self._gate = gate
        self._journal = journal
        self._holds = holds
        self._max_backlog = max_backlog

    def settle(self, settlement: Settlement, reports: tuple[Report, ...] = ()) -> None:
        """Write the end of a call down; never waits. Raises JournalFullError."""
        event = encode(settlement)
        # First of all: what cannot be written down is not kept alive, but swept.
        self._holds.remove(settlement.hold.reference)
        operation = self._operation(settlement, event, reports)
        segment = self._journal.append(event)
        told = self._gate.tell(operation)
        segment.under_way += 1
        told.add_done_callback(partial(_note, segment))

    def _operation(
        self,
        settlement: Settlement,
        event: bytes,
        reports: tuple[Report, ...] = (),
        *,
        replay: bool = False,
    ) -> Settle:
        hold = settlement.hold
        return Settle(
            reference=hold.reference,
            user=hold.user_id,
            app=hold.app_id or "",
            key=hold.api_key_id or "",
            amount=str(settlement.amount_nanos),
            change=str(hold.held_nanos - settlement.amount_nanos),
            actual=_actual(settlement),
            reports=reports,
            event=event.decode(),
            max_backlog=self._max_backlog,
            replay=replay,
        )

    async def replay(self, segment: Segment, epoch: bytes) -> None:
        """Tell Redis every line of a segment again; raises GateClosedError.

        What was not taken last time is where the next time begins: else the same first lines
        could fill a stream that is nearly full again and again.
        """
        segment.needs_replay = True
        if segment.replayed_for != epoch:
            segment.replayed_for, segment.replayed_lines = epoch, 0
        lines = islice(segment.lines(), segment.replayed_lines, None)
        while batch := list(islice(lines, REPLAY_AT_ONCE)):
            operations = [operation for line in batch if (operation := self._replayed(line))]
            replies = await self._gate.run_many(operations)
            for taken, reply in enumerate(replies):
                if reply[0] == b"ERROR":
                    # The fault of this line: it must not keep the others, and stays in its file.
                    _log.error("settlement_refused", file=segment.path.name, error=reply[1])
                    segment.is_kept = True
                elif not _take(segment, reply):
                    segment.replayed_lines += taken
                    raise StreamFullError if reply[0] == b"FULL" else GateClosedError
            segment.replayed_lines += len(batch)
        segment.needs_replay = False

    def _replayed(self, line: bytes) -> Settle | None:
        try:
            return self._operation(decode_settlement(line), line, replay=True)
        except ValueError as error:
            _log.error("journal_line_unreadable", error=repr(error), line=line[:200])
            return None

    async def replay_all(self, epoch: bytes) -> None:
        """Bring everything this process still keeps into an epoch; raises GateClosedError.

        The journals of processes that died are nobody else's by now.
        """
        self._journal.adopt()
        for segment in self._journal.segments():
            await self.replay(segment, epoch)

    async def tend(self, epoch: str, watermark: str) -> None:
        """Remove drained segments, adopt those of dead processes, repeat what was not taken.

        ``epoch`` and ``watermark`` say how far the drain has come; a watermark of another
        filling of Redis than the one this process talks to says nothing about its lines.
        """
        self._journal.roll_if_old()
        self._journal.adopt()
        if not await self._is_same_server():
            return
        is_current = epoch == self._gate.epoch.decode()
        for segment in self._journal.closed_segments():
            if segment.under_way:
                continue
            if segment.needs_replay:
                with suppress(GateClosedError):  # one that is not taken must not stop the others
                    await self.replay(segment, self._gate.epoch)
            elif is_current and not segment.is_kept and not _is_after(segment.newest_id, watermark):
                self._journal.remove(segment)

    async def _is_same_server(self) -> bool:
        """Whether Redis still is what the gate has joined.

        A restarted one may have lost entries that the drain's watermark has passed since.
        """
        with suppress(GateClosedError):
            if self._gate.is_open:
                await self._gate.run_many([])
                return self._gate.is_open
        return False


def _note(segment: Segment, told: "asyncio.Future[Any]") -> None:
    segment.under_way -= 1
    is_answered = not told.cancelled() and told.exception() is None
    if not is_answered or not _take(segment, told.result()):
        segment.needs_replay = True


def _take(segment: Segment, reply: Any) -> bool:  # noqa: ANN401
    """Remember how far a line has come; False if Redis did not take it."""
    if reply[0] not in (b"OK", b"LATE"):
        return False
    stream_id = reply[1].decode()
    if _is_after(stream_id, segment.newest_id):
        segment.newest_id = stream_id
    return True


def _is_after(left: str, right: str) -> bool:
    return _parts(left) > _parts(right)


def _parts(stream_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds), int(sequence)


def _actual(settlement: Settlement) -> dict[str, str]:
    """What the meters should have counted: requests, tokens, nanos."""
    tokens = sum(n for dimension, _, n in settlement.usage if dimension in TOKEN_DIMENSIONS)
    is_charged = settlement.kind == "charge"
    return {"r": "1" if is_charged else "0", "t": str(tokens), "n": str(settlement.amount_nanos)}
