"""Exchanges between a client and an upstream that speak different dialects of chat."""

import msgspec

from gateway.protocols import tool_state
from gateway.protocols.canonical import Answer, Call, Item, Reasoning, Sampling, Text, ToolCall
from gateway.protocols.converting import Converting
from gateway.protocols.estimate import text_tokens
from gateway.protocols.events import Finished, Position, replay
from gateway.protocols.exchange import Codec, Read, Request, Seen, Watcher, Wish
from gateway.protocols.think_tags import untagged
from gateway.protocols.traits import NO_TRAITS

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Conversion:
    """One attempt's exchange through the canonical form.

    The dialects may be the same: when a request is not just what the client sent.
    """

    def __init__(self, request: Request, client: Codec, upstream: Codec, name: str) -> None:
        self._request = request
        self._client = client
        self._upstream = upstream
        self._name = name
        self._traits = NO_TRAITS
        self._shows_thoughts = True

    def body(self, wish: Wish) -> bytes:
        call = wish.call or self._request.call()
        assert call is not None, "only chat is converted"  # noqa: S101
        self._traits = wish.traits
        self._shows_thoughts = wish.traits.thinking_passthrough or call.thinking is not None
        body = self._upstream.encode_request(self._wished(call, wish), wish.traits)
        if not wish.parameters:
            return body
        fields = self._upstream.with_parameters(wish.parameters, _fields.decode(body))
        return msgspec.json.encode(fields)

    def _wished(self, call: Call, wish: Wish) -> Call:
        return msgspec.structs.replace(
            self._upstream.bounded(call, wish.max_output_tokens),
            model=wish.model,
            sampling=Sampling() if wish.traits.fixed_sampling else call.sampling,
            extras=call.extras if self._client is self._upstream else {},
        )

    def read(self, body: bytes) -> Read:
        answer = self._decoded(body)
        estimate = 0 if answer.usage else text_tokens("".join(map(_written, answer.items)))
        shown = self._shown(answer)
        if answer.usage is None:
            guess = [("input", "", self._request.prompt_tokens), ("output", "", estimate)]
            shown = msgspec.structs.replace(shown, usage=guess)
        return Read(
            self._client.encode_answer(shown, self._name),
            answer.usage,
            estimate,
            tool_state.of_items(answer.items),
        )

    def _decoded(self, body: bytes) -> Answer:
        answer = self._upstream.decode_answer(body)
        return untagged(answer) if self._traits.think_tags else answer

    def _shown(self, answer: Answer) -> Answer:
        if self._shows_thoughts:
            return answer
        items = tuple(item for item in answer.items if not isinstance(item, Reasoning))
        return msgspec.structs.replace(answer, items=items)

    def watch(self) -> Watcher:
        return self._watch(None)

    def replay(self, body: bytes) -> tuple[Watcher, list[Seen]]:
        watcher = self._watch(None)
        events = list(replay(self._decoded(body)))
        said = [event for event in events if not isinstance(event, Finished)]
        return watcher, [watcher.tell(said), watcher.tell(events[-1:])]

    def resume(self, position: Position, delivered: str | None) -> Watcher:
        watcher = self._watch(position)
        watcher.go_on(position, delivered)
        return watcher

    def _watch(self, position: Position | None) -> Converting:
        writer = self._client.writer(
            self._name,
            include_usage=self._request.include_usage,
            input_tokens=self._request.prompt_tokens,
            position=position,
        )
        reader = self._upstream.reader(self._traits)
        return Converting(reader, writer, shows_thoughts=self._shows_thoughts)


def _written(item: Item) -> str:
    if isinstance(item, ToolCall):
        return item.name + item.arguments
    return item.text if isinstance(item, Text | Reasoning) else ""
