"""Chat calls that leave as they came: only what the gateway needs is read from them.

The body is taken apart into its top-level fields, whose values stay bytes; what must
change is exchanged and the rest, unknown fields included, goes on untouched.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from gateway.protocols import bodies, estimate
from gateway.protocols.anthropic_messages.thinking import budget_of
from gateway.protocols.canonical import Call, Thinking
from gateway.protocols.codecs import CODECS, OPENAI
from gateway.protocols.conversion import Conversion
from gateway.protocols.exchange import Exchange, Read, Seen, Watcher, Wish
from gateway.protocols.openai_chat import chunks, watch

MAX_CHOICES = 128
# More than any model says, and little enough for its price to be counted.
MAX_OUTPUT_TOKENS = 2**31 - 1
USAGE_ONLY = msgspec.Raw(b'{"include_usage":true}')

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_OUTPUT_TOKENS)]


class _Message(msgspec.Struct):
    role: str
    content: str | list[msgspec.Raw] | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Known(msgspec.Struct):
    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=MAX_CHOICES)] | None = None

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


_known = msgspec.json.Decoder(_Known)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A decoded chat request; ``fields`` are its top-level values as bytes.

    A stream's ``stream_options`` ask for the usage that the gateway bills by, always.
    """

    model: str
    stream: bool
    include_usage: bool
    choices: int
    max_output_tokens: int | None
    prompt_tokens: int
    fields: dict[str, msgspec.Raw]
    raw: bytes

    @property
    def thinking_tokens(self) -> int:
        effort = msgspec.json.decode(self.fields.get("reasoning_effort", chunks.NOTHING))
        return budget_of(Thinking(effort=effort)) if isinstance(effort, str) else 0

    def speaks(self, protocol: str) -> bool:
        return protocol in CODECS

    def exchange(self, protocol: str, name: str) -> Exchange:
        if protocol == OPENAI.name:
            return PassThrough(self, name)
        return Conversion(self, OPENAI, CODECS[protocol], name)

    def call(self) -> Call:
        return OPENAI.decode_request(self.raw)

    def affinity(self) -> str | None:
        """By the client's own cache key, or by how a long conversation begins."""
        given = self.fields.get("prompt_cache_key")
        if given is None and self.prompt_tokens < estimate.CACHEABLE_TOKENS:
            return None
        beginning = given or estimate.beginning(bytes(self.fields["messages"]))
        return hashlib.sha256(beginning).hexdigest()

    def body(self, wish: Wish) -> bytes:
        """As it came, but for what must change; the client's own values win."""
        fields = OPENAI.with_parameters(wish.parameters, self.fields)
        if wish.model != self.model:
            fields["model"] = wish.model
        most = wish.max_output_tokens
        if most is not None and most != self.max_output_tokens:
            _clamp(fields, most, wish.traits.output_field)
        return encode(fields)


class PassThrough(Conversion):
    """The exchange with an upstream of the same dialect: bytes as they are, where they may be."""

    def __init__(self, request: ChatRequest, name: str) -> None:
        super().__init__(request, OPENAI, OPENAI, name)
        self._light = request

    def body(self, wish: Wish) -> bytes:
        return self._light.body(wish) if wish.call is None else super().body(wish)

    def read(self, body: bytes) -> Read:
        return watch.read_answer(body, self._name)

    def watch(self) -> Watcher:
        return watch.Watcher(self._name)

    def replay(self, body: bytes) -> tuple[Watcher, list[Seen]]:
        """With all its choices, of which a conversion keeps one."""
        watcher = self.watch()
        events = chunks.replay(self.read(body).body)
        return watcher, [watcher.see(event) for event in events]


def _clamp(fields: dict[str, Any], most: int, output_field: str) -> None:
    """No limit says more than ``most``, whichever of them the vendor reads; one does say it."""
    limits = {name: _number(fields.get(name)) for name in OPENAI.limit_fields}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    for name, limit in (given or {output_field: most}).items():
        fields[name] = min(limit, most)


def _number(value: object) -> int | None:
    number = msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
    return number if isinstance(number, int) else None


def decode(body: bytes) -> ChatRequest:
    """Read a chat request; raises InvalidRequestError naming the field."""
    known = bodies.read(_known, body)
    fields = bodies.read(_fields, body)
    include_usage = known.include_usage
    if known.stream and not include_usage:
        fields["stream_options"] = with_usage(fields.get("stream_options"))
    limits = [limit for limit in (known.max_completion_tokens, known.max_tokens) if limit]
    tools = fields.get("tools")
    return ChatRequest(
        model=known.model,
        stream=bool(known.stream),
        include_usage=include_usage,
        choices=known.n or 1,
        max_output_tokens=max(limits, default=None),
        prompt_tokens=estimate.prompt_tokens(bytes(fields["messages"]))
        + (estimate.prompt_tokens(bytes(tools)) if tools is not None else 0),
        fields=fields,
        raw=body,
    )


def with_usage(given: msgspec.Raw | None) -> msgspec.Raw:
    """The client's stream options with the usage event added."""
    if given is None or bytes(given) == b"null":
        return USAGE_ONLY
    options = bodies.read(_fields, bytes(given))
    return msgspec.Raw(encode({**options, "include_usage": True}))
