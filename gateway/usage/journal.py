"""The journal of one process: an append-only file per segment in the state directory.

Guarantee: once ``append`` has returned, the line survives a ``kill -9`` of the process;
it survives a crash of the machine after the next ``sync``. A segment is removed when
everything in it stands in the ledger. The open files are locked, so that another process
can tell the journal of a dead one (``adopt``) from that of a living one.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway import clock
from gateway.errors import UnavailableError
from gateway.settings import JournalSettings

SUFFIX = ".journal"


class JournalFullError(UnavailableError):
    """Settlements could not be written down any more; nothing may be sold now."""

    message = "The gateway cannot record usage right now; try again shortly."


@dataclass(slots=True)
class Segment:
    """One file of the journal and how far its lines have come."""

    path: Path
    descriptor: int
    opened_at: float
    size: int = 0
    under_way: int = 0  # lines told to Redis and not answered yet
    newest_id: str = field(default="0-0")  # of the settlement stream
    needs_replay: bool = False
    is_kept: bool = False  # a line was refused: for a person to look at
    replayed_for: bytes = b""  # the epoch into which this many lines were brought again
    replayed_lines: int = 0

    def lines(self) -> Iterator[bytes]:
        """Complete lines; the torn end of a crash is left out."""
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line[:-1]


class Journal:
    def __init__(self, folder: Path, owner: str, settings: JournalSettings) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._owner = owner
        self._settings = settings
        self._number = 0
        self._closed: list[Segment] = []
        self._current: Segment | None = None
        self._bytes = 0

    def append(self, line: bytes) -> Segment:
        """Write one line; raises JournalFullError if it cannot be kept."""
        segment = self._current or self._open()
        data = line + b"\n"
        try:
            written = os.write(segment.descriptor, data)
            if written < len(data):
                # The next line must not go on where this one was cut.
                os.ftruncate(segment.descriptor, segment.size)
                raise JournalFullError
        except OSError as error:
            raise JournalFullError from error
        segment.size += written
        self._bytes += written
        if segment.size >= self._settings.segment_bytes:
            self.roll()
        return segment

    def check_room(self) -> None:
        """Raise JournalFullError when the journal has reached its bound on disk."""
        if self._bytes > self._settings.max_bytes:
            raise JournalFullError

    def _open(self) -> Segment:
        self._number += 1
        path = self._folder / f"{self._owner}-{self._number:06d}{SUFFIX}"
        fresh = path.with_suffix(".new")
        try:
            descriptor = _locked(fresh, os.O_CREAT)
            # Under its name it is locked already, so that nobody takes it for a dead one's.
            fresh.rename(path)
            self._current = Segment(path, descriptor, clock.monotonic())
        except OSError as error:
            raise JournalFullError from error
        return self._current

    def roll(self) -> None:
        """Close the current segment, so that it can be removed once it is drained."""
        if self._current is not None and self._current.size:
            self._closed.append(self._current)
            self._current = None

    def roll_if_old(self) -> None:
        current = self._current
        age = clock.monotonic() - current.opened_at if current else 0
        if age > self._settings.roll_seconds:
            self.roll()

    def sync(self) -> None:
        """Bring what was written to the disk; blocks, so call it from a thread."""
        segment = self._current
        if segment is not None:
            with suppress(OSError):  # removed meanwhile: it is in the ledger
                os.fdatasync(segment.descriptor)

    def segments(self) -> list[Segment]:
        """All segments with their lines, the one being written included."""
        self.roll()
        return list(self._closed)

    def closed_segments(self) -> list[Segment]:
        return list(self._closed)

    def remove(self, segment: Segment) -> None:
        self._closed.remove(segment)
        self._bytes -= segment.size
        segment.path.unlink(missing_ok=True)
        os.close(segment.descriptor)

    def adopt(self) -> list[Segment]:
        """Take over the segments of processes that are gone."""
        adopted = []
        mine = {segment.path for segment in self._closed}
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if path in mine or (self._current and path == self._current.path):
                continue
            with suppress(OSError):  # locked by its living owner, or removed just now
                segment = Segment(path, _locked(path, 0), clock.monotonic(), needs_replay=True)
                segment.size = os.fstat(segment.descriptor).st_size
                self._bytes += segment.size
                self._closed.append(segment)
                adopted.append(segment)
        return adopted

    def close(self) -> None:
        """Let go of the files; what is not drained is adopted by the next process."""
        for segment in self.segments():
            os.close(segment.descriptor)
        self._closed = []


def _locked(path: Path, flags: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(descriptor).st_nlink:  # removed by another who had adopted it
            raise FileNotFoundError(path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
