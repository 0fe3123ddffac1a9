"""One client's visit to a model that nobody else asks for, and what became of it."""

import itertools
from dataclasses import dataclass
from math import ceil
from typing import Any

import psutil

from models import LedgerEntry, RequestRecord
from tests.stack import Stack
from tests.stack.raw_client import RawClient
from tests.stack.stack import KEY

INPUT_NANOS, OUTPUT_NANOS = 1_000, 10_000  # one token at the prices of the stack
MESSAGES = '[{"role":"user","content":"Tell me something long, 请用中文, 絵文字も 🙂"}]'
_names = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """Where the upstream stands, and what the client has seen by then."""

    gate: str
    seen: bytes = b""
    has_usage: bool = False
    stream: bool = True


class Visit:
    """One client of one model that nobody else asks for."""

    def __init__(self, stack: Stack, upstream: str, **fields: Any) -> None:  # noqa: ANN401
        self.stack = stack
        self.name = f"visit{next(_names)}"
        self.gate = f"{self.name}gate"
        self.upstream = upstream.replace("GATE", f"gate{self.gate}")
        stack.add_model(self.name, upstream=self.upstream, **fields)

    def ask(self, client: RawClient, *, key: str = KEY, stream: bool = True) -> None:
        options = ',"stream":true,"stream_options":{"include_usage":true}' if stream else ""
        body = f'{{"model":"{self.name}","messages":{MESSAGES}{options}}}'
        client.post("/v1/chat/completions", body.encode(), key=key, agent=self.name)

    def record(self) -> RequestRecord:
        """The one record of the visit, once it is written."""
        found: list[RequestRecord] = []

        def is_written() -> bool:
            self.stack.drain()
            found[:] = [r for r in self.stack.requests() if r.user_agent == self.name]
            return bool(found)

        self.stack.wait_for(is_written)
        (record,) = found
        return record

    def final_entry(self, record: RequestRecord) -> LedgerEntry:
        (entry,) = [e for e in self.stack.entries() if e.reference == record.id]
        assert entry.slot == "final"
        return entry

    def journal(self) -> dict[str, Any]:
        """What the simulator wrote down, once it has nothing more to do."""
        self.stack.simulator.wait_idle()
        (entry,) = self.stack.simulator.journal(model=self.upstream)
        return entry


def tokens_of(text: str) -> int:
    return ceil(sum(1.5 if character >= "\u3000" else 0.25 for character in text))


def estimated_nanos(text: str) -> int:
    return tokens_of(MESSAGES) * INPUT_NANOS + tokens_of(text) * OUTPUT_NANOS


def reported_nanos(usage: dict[str, Any]) -> int:
    return int(usage["prompt_tokens"] * INPUT_NANOS + usage["completion_tokens"] * OUTPUT_NANOS)


def wait_until_gateway_hung_up(stack: Stack, port: int) -> None:
    """Until the API process has closed its end of the client's connection."""
    process = psutil.Process(stack.apis[0].pid)

    def is_gone() -> bool:
        connections = process.net_connections("tcp")
        return all(not c.raddr or c.raddr.port != port for c in connections)

    stack.wait_for(is_gone)


def leave(stack: Stack, visit: Visit, place: Place, how: str, key: str) -> RawClient:
    client = RawClient(stack.apis[0].port)
    visit.ask(client, key=key, stream=place.stream)
    stack.simulator.gate(visit.gate, waiting=1)
    if place.seen:
        client.read_until(place.seen)
        client.read_until(b"\n\n\r\n")
    client.leave(how)
    wait_until_gateway_hung_up(stack, client.port)
    return client


def assert_nothing_is_left(stack: Stack) -> None:
    stack.wait_for(lambda: stack.open_holds() == 0)
    stack.drain()
    assert stack.differences() == []
    assert stack.user().used_nanos == stack.charged_nanos()
