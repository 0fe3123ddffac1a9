"""What the simulator was asked and what really left it, for tests to compare with bills.

Entries are bounded, the oldest go first; the counters by model are never dropped, only cleared.
An entry is ``completed`` when a whole, successful answer was written: an error, a broken body or
a stream without its finish event never is. Its ``usage`` is in OpenAI's words whoever the vendor
is, so that prompt tokens are always all of them, cached or not.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tests.upstream.faults import NO_FAULT, Fault

DEFAULT_LIMIT = 20_000
DEFAULT_BODY_BYTES = 65_536


@dataclass(slots=True)
class Entry:
    """One request; changes while it is answered."""

    seq: int
    generation: int
    method: str
    path: str
    headers: Mapping[str, str]
    started_at: float
    vendor: str = ""
    body: Any = None
    body_truncated: bool = False
    model: str = ""
    key: str | None = None
    fault: Fault = NO_FAULT
    status: int | None = None
    stream: bool = False
    events_written: int = 0
    content_pieces_written: int = 0
    bytes_written: int = 0
    usage: dict[str, Any] | None = None
    usage_sent: bool = False
    finish_sent: bool = False
    done_sent: bool = False
    completed: bool = False
    client_gone: bool = False
    ended_at: float | None = None

    def snapshot(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "time": self.started_at,
            "started": self.started_at,
            "ended": self.ended_at,
            "method": self.method,
            "path": self.path,
            "vendor": self.vendor,
            "headers": _plain_headers(self.headers),
            "body": self.body,
            "body_truncated": self.body_truncated,
            "model": self.model,
            "key": self.key,
            "fault": self.fault.describe(),
            "status": self.status,
            "stream": self.stream,
            "events_written": self.events_written,
            "content_pieces_written": self.content_pieces_written,
            "bytes_written": self.bytes_written,
            "usage": self.usage,
            "usage_sent": self.usage_sent,
            "finish_sent": self.finish_sent,
            "done_sent": self.done_sent,
            "completed": self.completed,
            "client_gone": self.client_gone,
        }


@dataclass(slots=True)
class Counters:
    requests: int = 0
    in_flight: int = 0
    streams: int = 0
    completed: int = 0
    errors: int = 0
    client_gone: int = 0
    content_pieces_written: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_completed: int = 0
    completion_tokens_completed: int = 0

    def count(self, entry: Entry) -> None:
        usage = entry.usage or {}
        prompt = usage.get("prompt_tokens", 0)
        completion = usage.get("completion_tokens", 0)
        self.in_flight -= 1
        self.streams += entry.stream
        self.errors += entry.status is not None and entry.status >= 400
        self.client_gone += entry.client_gone
        self.content_pieces_written += entry.content_pieces_written
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        if entry.completed:
            self.completed += 1
            self.prompt_tokens_completed += prompt
            self.completion_tokens_completed += completion

    def snapshot(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in COUNTED}

    def add(self, other: "Counters") -> None:
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))


COUNTED = tuple(Counters.__dataclass_fields__)


@dataclass(slots=True)
class Journal:
    limit: int = DEFAULT_LIMIT
    body_bytes: int = DEFAULT_BODY_BYTES
    generation: int = 0
    last_seq: int = 0
    entries: deque[Entry] = field(init=False)
    by_model: dict[str, Counters] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entries = deque(maxlen=self.limit)

    def begin(self, method: str, path: str, headers: Mapping[str, str]) -> Entry:
        self.last_seq += 1
        entry = Entry(self.last_seq, self.generation, method, path, headers, time.time())
        self.entries.append(entry)
        return entry

    def keep_body(self, entry: Entry, raw: bytes, parsed: object) -> None:
        if self.body_bytes == 0 or not raw:
            return
        if parsed is not None and len(raw) <= self.body_bytes:
            entry.body = parsed
            return
        entry.body = raw[: self.body_bytes].decode("utf-8", "replace")
        entry.body_truncated = len(raw) > self.body_bytes

    def keep_form(self, entry: Entry, described: dict[str, Any]) -> None:
        """A form without the bytes of its files."""
        if self.body_bytes:
            entry.body = described

    def admit(self, entry: Entry, model: str) -> None:
        """Count the request under its model, which is known from here on."""
        entry.model = model
        if entry.generation == self.generation:
            counters = self._counters(model)
            counters.requests += 1
            counters.in_flight += 1

    def finish(self, entry: Entry) -> None:
        entry.ended_at = time.time()
        if entry.generation == self.generation:
            self._counters(entry.model).count(entry)

    def clear(self) -> None:
        """Forget everything; requests under way end uncounted, sequence numbers go on."""
        self.generation += 1
        self.entries.clear()
        self.by_model.clear()

    def list_entries(self, since: int, limit: int, model: str | None) -> list[dict[str, Any]]:
        if not self.entries:
            return []
        first = self.entries[0].seq
        newer = islice(self.entries, max(0, since + 1 - first), None)
        wanted = (entry for entry in newer if model is None or entry.model == model)
        return [entry.snapshot() for entry in islice(wanted, limit)]

    def summary(self) -> dict[str, Any]:
        total = Counters()
        for counters in self.by_model.values():
            total.add(counters)
        models = {name: counters.snapshot() for name, counters in self.by_model.items()}
        return {"last_seq": self.last_seq, "total": total.snapshot(), "models": models}

    def _counters(self, model: str) -> Counters:
        found = self.by_model.get(model)
        if found is None:
            found = self.by_model[model] = Counters()
        return found


def _plain_headers(headers: Mapping[str, str]) -> dict[str, str]:
    plain: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        plain[lower] = f"{plain[lower]}, {value}" if lower in plain else value
    return plain
