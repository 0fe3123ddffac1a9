"""Anthropic requests that leave as they came: only what the gateway needs is read from them."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from gateway.errors import ThreadsUnsupportedError
from gateway.protocols import bodies, estimate
from gateway.protocols.anthropic_messages import decode_count, signatures, watch
from gateway.protocols.canonical import Call
from gateway.protocols.codecs import ANTHROPIC, CODECS
from gateway.protocols.conversion import Conversion
from gateway.protocols.exchange import Exchange, Read, Watcher, Wish

MAX_OUTPUT_TOKENS = 2**31 - 1
CACHE_MARK = b'"cache_control"'

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_OUTPUT_TOKENS)]


class _Message(msgspec.Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[msgspec.Raw]


class _Counted(msgspec.Struct):
    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]


class _Known(_Counted, kw_only=True):
    max_tokens: Limit
    stream: bool | None = None


_known = msgspec.json.Decoder(_Known)
_counted = msgspec.json.Decoder(_Counted)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """A decoded request; ``fields`` are its top-level values as bytes."""

    model: str
    stream: bool
    max_output_tokens: int | None
    prompt_tokens: int
    fields: dict[str, msgspec.Raw]
    raw: bytes
    choices: int = 1
    include_usage: bool = True  # its streams always tell
    thinking_tokens: int = 0  # a budget is part of the limit in this dialect
    is_count: bool = False  # only the tokens are to be counted

    def speaks(self, protocol: str) -> bool:
        return protocol in CODECS

    def exchange(self, protocol: str, name: str) -> Exchange:
        if protocol == ANTHROPIC.name:
            return PassThrough(self, name)
        return Conversion(self, ANTHROPIC, CODECS[protocol], name)

    def call(self) -> Call:
        return decode_count(self.raw) if self.is_count else ANTHROPIC.decode_request(self.raw)

    def affinity(self) -> str | None:
        """By how a conversation begins that is long, or says what is to be cached."""
        if self.prompt_tokens < estimate.CACHEABLE_TOKENS and CACHE_MARK not in self.raw:
            return None
        system = bytes(self.fields.get("system", b""))
        beginning = estimate.beginning(bytes(self.fields["messages"]))
        return hashlib.sha256(system + beginning).hexdigest()

    def body(self, wish: Wish) -> bytes:
        """As it came, but for what must change; the client's own values win."""
        fields = ANTHROPIC.with_parameters(wish.parameters, self.fields)
        if wish.model != self.model:
            fields["model"] = wish.model
        most, given = wish.max_output_tokens, self.max_output_tokens
        if most is not None and given is not None and most < given:
            fields["max_tokens"] = most
            if _budget(fields.get("thinking")) >= most:
                del fields["thinking"]  # the vendor would refuse it, and the limit is ours
        return encode(fields)


class PassThrough(Conversion):
    """The exchange with an upstream of the same dialect: bytes as they are, where they may be."""

    def __init__(self, request: MessagesRequest, name: str) -> None:
        super().__init__(request, ANTHROPIC, ANTHROPIC, name)
        self._light = request

    def body(self, wish: Wish) -> bytes:
        is_as_sent = wish.call is None and signatures.MARK not in self._light.raw
        return self._light.body(wish) if is_as_sent else super().body(wish)

    def read(self, body: bytes) -> Read:
        return watch.read_answer(body, self._name)

    def watch(self) -> Watcher:
        return watch.Watcher(self._name)


def decode(body: bytes) -> MessagesRequest:
    """Read a request; raises InvalidRequestError naming the field."""
    known = bodies.read(_known, body)
    fields = bodies.read(_fields, body)
    if bytes(fields.get("thread", b"null")) != b"null":
        # Another key or backend would not know it, and nobody could say what it costs.
        raise ThreadsUnsupportedError(param="thread")
    return MessagesRequest(
        model=known.model,
        stream=bool(known.stream),
        max_output_tokens=known.max_tokens,
        prompt_tokens=_prompt_tokens(fields),
        fields=fields,
        raw=body,
    )


def decode_to_count(body: bytes) -> MessagesRequest:
    """The same without a limit of the output, which is not asked for."""
    known = bodies.read(_counted, body)
    fields = bodies.read(_fields, body)
    return MessagesRequest(
        model=known.model,
        stream=False,
        max_output_tokens=None,
        prompt_tokens=_prompt_tokens(fields),
        fields=fields,
        raw=body,
        is_count=True,
    )


def _budget(thinking: object) -> int:
    """The tokens that may be thought; 0 where none are named."""
    if isinstance(thinking, msgspec.Raw):
        thinking = msgspec.json.decode(thinking)
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    return budget if isinstance(budget, int) else 0


def _prompt_tokens(fields: dict[str, msgspec.Raw]) -> int:
    parts = (fields.get(name) for name in ("messages", "system", "tools"))
    return sum(estimate.prompt_tokens(bytes(part)) for part in parts if part is not None)
