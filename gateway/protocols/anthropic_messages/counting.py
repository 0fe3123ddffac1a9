"""Counting the tokens of a request: asked of upstreams that can, else estimated."""

from dataclasses import dataclass

import msgspec

from gateway.protocols.anthropic_messages import encode_request, passthrough, signatures
from gateway.protocols.canonical import Call
from gateway.protocols.events import Position
from gateway.protocols.exchange import Exchange, Read, Seen, Watcher, Wish
from gateway.protocols.problems import NOT_JSON, no_answer

PROTOCOL = "anthropic"


class _Counted(msgspec.Struct):
    input_tokens: int


_counted = msgspec.json.Decoder(_Counted)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class CountRequest:
    """A request whose tokens are to be counted."""

    light: passthrough.MessagesRequest
    stream: bool = False
    include_usage: bool = False
    choices: int = 1
    max_output_tokens: int | None = None
    thinking_tokens: int = 0

    @property
    def model(self) -> str:
        return self.light.model

    @property
    def prompt_tokens(self) -> int:
        return self.light.prompt_tokens

    def speaks(self, protocol: str) -> bool:
        return self.light.speaks(protocol)

    def exchange(self, protocol: str, name: str) -> Exchange:  # noqa: ARG002 -- no answer is named
        return CountExchange(self, can_ask=protocol == PROTOCOL)

    def call(self) -> Call:
        return self.light.call()

    def estimated(self) -> Read:
        """By our own estimator, which rather counts too much."""
        return Read(msgspec.json.encode(_Counted(self.prompt_tokens)), [])

    def affinity(self) -> str | None:
        return self.light.affinity()


@dataclass(frozen=True, slots=True)
class CountExchange:
    request: CountRequest
    can_ask: bool  # whether the upstream can count

    def body(self, wish: Wish) -> bytes:
        light = self.request.light
        if signatures.MARK not in light.raw:
            return msgspec.json.encode({**light.fields, "model": wish.model})
        # Our own signatures are nothing to a vendor.
        fields = _fields.decode(encode_request(light.call()))
        del fields["max_tokens"]
        return msgspec.json.encode({**fields, "model": wish.model})

    def read(self, body: bytes) -> Read:
        try:
            _counted.decode(body)
        except NOT_JSON as error:
            raise no_answer(body, "The provider's answer holds no count.") from error
        return Read(body, [])

    def watch(self) -> Watcher:
        raise NotImplementedError

    def replay(self, body: bytes) -> tuple[Watcher, list[Seen]]:
        raise NotImplementedError

    def resume(self, position: Position, delivered: str | None) -> Watcher:
        raise NotImplementedError


def decode(body: bytes) -> CountRequest:
    """Read a request; raises InvalidRequestError naming the field."""
    return CountRequest(passthrough.decode_to_count(body))
