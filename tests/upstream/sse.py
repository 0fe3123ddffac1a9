"""The bytes of a server-sent event stream, broken on purpose where a fault says so."""

from collections.abc import Iterable, Iterator
from itertools import cycle

from tests.upstream.faults import Fault
from tests.upstream.reply import Event, Kind

GARBAGE = b'{"id":"chatcmpl-sim","choices":[{"index":0,"delta":{"content":" brok'
FRAGMENT_BYTES = (1, 2, 3, 5, 7, 11, 13)
COMMENT = b": keep-alive"


def plan(events: Iterable[Event], fault: Fault, error: Event) -> Iterator[Event]:
    """The events that will be sent, with what the fault adds and without what it drops."""
    count = 0
    for event in events:
        if _ends_before(event.kind, count, fault):
            return
        if fault.error_after == count:
            yield error
            return
        if fault.garbage_at == count + 1:
            # Under the name of the event it stands before, or clients would not even look at it.
            yield Event(Kind.GARBAGE, GARBAGE, event.name)
            count += 1
        yield event
        count += 1


def _ends_before(kind: Kind, count: int, fault: Fault) -> bool:
    if fault.end_after is not None and count >= fault.end_after:
        return True
    if kind is Kind.FINISH:
        return "midfinish" in fault.flags
    return kind is Kind.DONE and "nodone" in fault.flags


def frame(event: Event, fault: Fault) -> bytes:
    end = b"\r\n" if "crlf" in fault.flags else b"\n"
    comment = COMMENT + end + end if "comment" in fault.flags else b""
    name = b"event: " + event.name.encode() + end if event.name else b""
    return b"%b%bdata: %b%b%b" % (comment, name, event.data, end, end)


def fragments(data: bytes) -> Iterator[bytes]:
    start = 0
    for size in cycle(FRAGMENT_BYTES):
        if start >= len(data):
            return
        yield data[start : start + size]
        start += size
