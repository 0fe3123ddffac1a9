"""Server-sent events: the one splitter of their bytes and the one writer."""

import re

HEARTBEAT = b": keep-alive\n\n"
"""A comment: keeps a silent connection open and is ignored by every client."""

LARGEST_EVENT_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"

# Two line ends in a row. A final CR may be half of a CRLF, so after LF it counts once the next
# byte is known; after another CR it counts at once, because such a stream ends lines with CR.
_END = re.compile(rb"\n\r?\n|\r\r|\n\r(?=[^\n])")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_END = 3


class EventTooLargeError(Exception):
    """The stream holds one event that is larger than we are willing to keep in memory."""


class Splitter:
    """Cuts a byte stream into events, each as the very bytes it came in.

    Where chunks begin and end makes no difference to the events.
    """

    __slots__ = ("_left", "_limit_bytes")

    def __init__(self, limit_bytes: int = LARGEST_EVENT_BYTES) -> None:
        self._left = bytearray()
        self._limit_bytes = limit_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The events that are complete now, their terminators included."""
        if not self._left and data.endswith(b"\n\n") and b"\r" not in data:
            if data.find(b"\n\n") == len(data) - 2:
                return [data]
            *events, left = data.split(b"\n\n")
            self._left += left
            return [event + b"\n\n" for event in events]
        return self._feed_slowly(data)

    def rest(self) -> bytes:
        """What came after the last complete event; asked for once, at the end of the stream."""
        left = bytes(self._left)
        self._left.clear()
        return left

    def _feed_slowly(self, data: bytes) -> list[bytes]:
        known = max(0, len(self._left) - _LONGEST_END)
        self._left += data
        events: list[bytes] = []
        start = 0
        for end in _END.finditer(self._left, known):
            events.append(bytes(self._left[start : end.end()]))
            start = end.end()
        if start:
            del self._left[:start]
        if len(self._left) > self._limit_bytes:
            raise EventTooLargeError
        return events


def data_of(event: bytes) -> bytes:
    """The data of one event: its data lines, joined by line feeds; empty if it has none."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2:
        plain = event[6:-2]
        if b"\r" not in plain:
            return plain
    return b"\n".join(_values(event, b"data"))


def name_of(event: bytes) -> bytes | None:
    """The event's name, if it has one."""
    if b"event" not in event:
        return None
    names = _values(event, b"event")
    return names[-1] if names else None


def is_comment_only(event: bytes) -> bool:
    """Whether a client would see nothing of this event: comments and blank lines alone."""
    if event.startswith(b"data:"):
        return False
    lines = _LINE_END.split(event.removeprefix(_BOM))
    return all(not line or line.startswith(b":") for line in lines)


def frame(data: bytes, name: str | None = None) -> bytes:
    """One event as bytes."""
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(_LINE_END.split(data))
    if name is None:
        return b"data: %b\n\n" % data
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def _values(event: bytes, field: bytes) -> list[bytes]:
    values = []
    for line in _LINE_END.split(event.removeprefix(_BOM)):
        name, _, value = line.partition(b":")
        if name == field:
            values.append(value.removeprefix(b" "))
    return values
