"""What a relay asks of wire formats: one request, exchanged with an upstream of some protocol.

A request is decoded once, in the client's dialect. For each attempt an exchange is made for
the protocol of the upstream: it writes the body, and reads answers and streams back into the
client's dialect. Where both are the same the bytes pass through.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from gateway.protocols.canonical import Answer, Call, UpstreamProblem, Usage
from gateway.protocols.events import Event, Position
from gateway.protocols.traits import NO_TRAITS, Traits


class Seen(msgspec.Struct):
    """One event of an upstream's stream, as far as the relay must know it."""

    # For the client, in its dialect; empty if there is nothing to tell.
    event: bytes
    text: str = ""  # all that the model wrote, thoughts and arguments included
    said: str = ""  # the part of it that is the answer's text
    is_chunk: bool = False
    is_content: bool = False
    is_tool: bool = False  # a tool call is begun or goes on
    is_finish: bool = False
    is_usage_only: bool = False
    is_done: bool = False  # the answer is complete; ``event`` tells the client so
    is_garbage: bool = False
    problem: UpstreamProblem | None = None
    is_interrupted: bool = False  # the stream ended without saying why


class Read(msgspec.Struct, frozen=True):
    """A plain answer: the bytes to pass on, and what it used."""

    body: bytes
    usage: Usage | None
    output_estimate: int = 0
    # What must come back to the vendor with a tool call, by the call's id.
    states: Mapping[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of one attempt's body."""

    model: str  # as the upstream knows it
    # Sent unless the client said something else.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    max_output_tokens: int | None = None  # None: what the client said
    traits: Traits = NO_TRAITS
    # The canonical request where it is not just what the client sent.
    call: Call | None = None


class Watcher(Protocol):
    """Reads the events of one upstream's stream in order, and writes them for the client."""

    @property
    def usage(self) -> Usage | None: ...

    @property
    def garbage(self) -> int:
        """Events that could not be understood."""
        ...

    @property
    def finished(self) -> bool:
        """Whether everything was said; only a terminator may be missing."""
        ...

    @property
    def states(self) -> Mapping[str, bytes]:
        """As of a plain answer."""
        ...

    def see(self, event: bytes) -> Seen: ...

    def end(self) -> Seen:
        """The bytes are over: ``is_done``, or ``is_interrupted``."""
        ...

    def position(self) -> Position | None:
        """Where the client's stream stands; None where no other may go on with it."""
        ...


class Exchange(Protocol):
    """One attempt's way out and back."""

    def body(self, wish: Wish) -> bytes: ...

    def read(self, body: bytes) -> Read:
        """A plain answer; raises UpstreamError if the body is none."""
        ...

    def watch(self) -> Watcher: ...

    def replay(self, body: bytes) -> tuple[Watcher, list[Seen]]:
        """A plain answer as the events of the stream that the client asked for."""
        ...

    def resume(self, position: Position, delivered: str | None) -> Watcher:
        """Goes on with a client's stream that another upstream began.

        ``delivered`` None: the upstream continues from what was delivered. Otherwise it
        answers afresh, and its text must begin with that.
        """
        ...


class Request(Protocol):
    """What every decoded request can say, whatever its dialect."""

    @property
    def model(self) -> str: ...
    @property
    def stream(self) -> bool: ...
    @property
    def choices(self) -> int: ...
    @property
    def max_output_tokens(self) -> int | None: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def thinking_tokens(self) -> int:
        """What an upstream of another protocol may think beside the answer."""
        ...

    @property
    def include_usage(self) -> bool:
        """Whether the client of a stream wants to see its usage."""
        ...

    def speaks(self, protocol: str) -> bool:
        """Whether an upstream of that protocol could answer."""
        ...

    def exchange(self, protocol: str, name: str) -> Exchange:
        """For one attempt; answers come under the model's ``name``."""
        ...

    def call(self) -> Call | None:
        """The canonical request, of chat; raises InvalidRequestError."""
        ...

    def affinity(self) -> str | None:
        """Names the conversation, where its beginning is worth an upstream's cache."""
        ...


class StreamReader(Protocol):
    @property
    def skipped(self) -> int: ...

    def read(self, event: bytes) -> list[Event]: ...
    def end(self) -> list[Event]: ...


class StreamWriter(Protocol):
    # Under which the client knows the stream.
    id: str
    created: int | None

    def write(self, event: Event) -> bytes: ...


class MakeWriter(Protocol):
    def __call__(
        self,
        model: str,
        *,
        include_usage: bool = ...,
        input_tokens: int = ...,
        position: Position | None = ...,
    ) -> StreamWriter: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """A dialect, in both directions."""

    name: str
    decode_request: Callable[[bytes], Call]
    encode_request: Callable[[Call, Traits], bytes]
    decode_answer: Callable[[bytes], Answer]
    encode_answer: Callable[[Answer, str], bytes]
    # Every field that bounds the output: one of them says it for all.
    limit_fields: frozenset[str]
    # The request such that an upstream writes no more than so many tokens.
    bounded: Callable[[Call, int | None], Call]
    reader: Callable[[Traits], StreamReader]
    writer: MakeWriter

    def with_parameters(
        self, parameters: Mapping[str, Any], fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A body's fields, and those of the model's parameters that it does not say already."""
        said = set(fields)
        if said & self.limit_fields:
            said |= self.limit_fields
        added = {name: value for name, value in parameters.items() if name not in said}
        return {**added, **fields}
