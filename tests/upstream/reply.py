"""What a vendor module is asked and what it answers, as values without any network."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from tests.upstream.faults import Fault
from tests.upstream.forms import Upload
from tests.upstream.works import Order, Work, Works

JSON = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"


class Kind(StrEnum):
    """What an event is for; gates and faults find their place by it."""

    ROLE = "role"
    CONTENT = "content"
    FINISH = "finish"
    USAGE = "usage"
    DONE = "done"
    GARBAGE = "garbage"
    ERROR = "error"


class Event(NamedTuple):
    kind: Kind
    data: bytes
    name: str = ""
    pieces: int = 0
    reports_usage: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One decoded request."""

    seq: int
    model: str
    body: Any
    fault: Fault
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    # The simulator's own address as the caller knows it, for addresses of results.
    base_url: str = ""
    files: tuple[Upload, ...] = ()
    works: Works = field(default_factory=Works)

    def accept(self, order: Order) -> Work:
        return self.works.accept(order, self.model, self.key, self.fault)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole body, or the events of a stream if there are any."""

    body: bytes = b""
    events: Iterable[Event] | None = None
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    # What is reported, in OpenAI's words whoever the vendor is: the journal counts by them.
    usage: dict[str, Any] | None = None
    pieces: int = 0
    # False for what has a good status and yet is none, such as an HTML page.
    is_answer: bool = True
    # The events are the body's own bytes, sent piece by piece, and no event stream.
    is_raw: bool = False
    # What was accepted, and whether the answer waits until it is finished.
    work: Work | None = None
    awaits_work: bool = False
    # In place of the request's own fault: results break as their work was told to.
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Vendor:
    """The manners that all routes of one vendor share."""

    name: str
    find_key: Callable[[Mapping[str, str]], str | None]
    # Takes a status, or a cause such as "ctx" or "no_key", and gives the vendor's own error.
    fail: Callable[[Call, int | str], Reply]
    error_event: Callable[[Call], Event]


Answer = Callable[[Call], Reply]
