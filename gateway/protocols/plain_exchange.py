"""Requests of one dialect that are answered whole: no stream, no conversion."""

from dataclasses import dataclass

import msgspec

from gateway.protocols.canonical import Call
from gateway.protocols.events import Position
from gateway.protocols.exchange import Exchange, Read, Seen, Watcher, Wish

PROTOCOL = "openai"


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A decoded request; ``fields`` are its top-level values as bytes."""

    model: str
    prompt_tokens: int
    fields: dict[str, msgspec.Raw]
    stream: bool = False
    include_usage: bool = False
    choices: int = 1
    max_output_tokens: int | None = None
    thinking_tokens: int = 0

    def body(self, wish: Wish) -> bytes:
        raise NotImplementedError

    def read(self, body: bytes, name: str) -> Read:
        """Raises UpstreamError if the body is no answer."""
        raise NotImplementedError

    def speaks(self, protocol: str) -> bool:
        return protocol == PROTOCOL

    def exchange(self, protocol: str, name: str) -> Exchange:  # noqa: ARG002 -- only one
        return PlainExchange(self, name)

    def call(self) -> Call | None:
        return None

    def affinity(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class PlainExchange:
    request: PlainRequest
    name: str

    def body(self, wish: Wish) -> bytes:
        return self.request.body(wish)

    def read(self, body: bytes) -> Read:
        return self.request.read(body, self.name)

    def watch(self) -> Watcher:
        raise NotImplementedError

    def replay(self, body: bytes) -> tuple[Watcher, list[Seen]]:
        raise NotImplementedError

    def resume(self, position: Position, delivered: str | None) -> Watcher:
        raise NotImplementedError
