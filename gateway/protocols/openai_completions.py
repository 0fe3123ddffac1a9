"""Legacy completions: calls, answers and streams that pass as they came."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from gateway.errors import InvalidRequestError
from gateway.protocols import bodies, sse
from gateway.protocols.estimate import text_tokens
from gateway.protocols.events import Position
from gateway.protocols.exchange import Exchange, Read, Seen, Wish
from gateway.protocols.exchange import Watcher as AnyWatcher
from gateway.protocols.openai_chat import watch
from gateway.protocols.openai_chat.passthrough import (
    MAX_CHOICES,
    MAX_OUTPUT_TOKENS,
    StreamOptions,
    with_usage,
)
from gateway.protocols.plain_exchange import PlainExchange, PlainRequest

# The vendor's own, where the client names no limit.
DEFAULT_OUTPUT_TOKENS = 16
LIMIT = "max_tokens"

Choices = Annotated[int, msgspec.Meta(ge=1, le=MAX_CHOICES)]


class _Known(msgspec.Struct):
    model: Annotated[str, msgspec.Meta(min_length=1)]
    prompt: str | Annotated[list[str | int | list[int]], msgspec.Meta(min_length=1)]
    suffix: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    # 0 asks for nothing but the prompt's own probabilities.
    max_tokens: Annotated[int, msgspec.Meta(ge=0, le=MAX_OUTPUT_TOKENS)] | None = None
    n: Choices | None = None
    best_of: Choices | None = None

    @property
    def prompts(self) -> int:
        """How many texts are to be completed; a list of numbers is one."""
        if isinstance(self.prompt, str) or all(isinstance(item, int) for item in self.prompt):
            return 1
        return len(self.prompt)


_known = msgspec.json.Decoder(_Known)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class CompletionsRequest(PlainRequest):
    """A decoded request; a stream's ``stream_options`` always ask for usage."""

    # Of ``choices`` those that come back; the vendor drops the others, and bills them.
    answered: int = 1

    def body(self, wish: Wish) -> bytes:
        """As it came, but for the model's name and the limit that is paid for."""
        fields: dict[str, Any] = {**wish.parameters, **self.fields, "model": wish.model}
        most = wish.max_output_tokens
        if most is not None:
            fields[LIMIT] = min(most, self.max_output_tokens or most)
        return encode(fields)

    def read(self, body: bytes, name: str) -> Read:
        return watch.read_answer(body, name, is_chat=False)

    def exchange(self, protocol: str, name: str) -> Exchange:  # noqa: ARG002 -- only one
        return CompletionsExchange(self, name, self.answered)


@dataclass(frozen=True, slots=True)
class CompletionsExchange(PlainExchange):
    answered: int = 1

    def watch(self) -> AnyWatcher:
        return Watcher(self.name, self.answered)

    def replay(self, body: bytes) -> tuple[AnyWatcher, list[Seen]]:
        """A whole answer has the shape of a chunk; only its usage has an event of its own."""
        fields = _fields.decode(self.read(body).body)
        usage = fields.pop("usage", None)
        events = [sse.frame(encode(fields))]
        if usage is not None:
            events.append(sse.frame(encode({**fields, "choices": [], "usage": usage})))
        watcher = self.watch()
        return watcher, [watcher.see(event) for event in (*events, watch.DONE_EVENT)]


class Watcher(watch.Watcher):
    """Choices may come one after the other, so it must be known how many there are."""

    def __init__(self, asked_model: str, choices: int) -> None:
        super().__init__(asked_model)
        self._choices = choices

    @property
    def finished(self) -> bool:
        return len(self._ended) >= self._choices

    def position(self) -> Position | None:
        """Nobody else can go on: there is no turn of the assistant's to continue."""
        return None


def decode(body: bytes) -> CompletionsRequest:
    """Read a request; raises InvalidRequestError naming the field."""
    known = bodies.read(_known, body)
    fields = bodies.read(_fields, body)
    options = known.stream_options
    include_usage = options is not None and bool(options.include_usage)
    if known.stream and not include_usage:
        fields["stream_options"] = with_usage(fields.get("stream_options"))
    answered = known.n or 1
    written = max(answered, known.best_of or 1)
    if known.stream and written > answered:
        raise InvalidRequestError("A stream cannot choose the best of many.", param="best_of")
    limit = known.max_tokens
    return CompletionsRequest(
        model=known.model,
        prompt_tokens=_tokens(known.prompt) + text_tokens(known.suffix or ""),
        fields=fields,
        stream=bool(known.stream),
        include_usage=include_usage,
        choices=written * known.prompts,
        max_output_tokens=DEFAULT_OUTPUT_TOKENS if limit is None else limit,
        answered=answered * known.prompts,
    )


def _tokens(prompt: str | int | list[Any]) -> int:
    """Text by the estimator; numbers are tokens already."""
    if isinstance(prompt, int):
        return 1
    return text_tokens(prompt) if isinstance(prompt, str) else sum(map(_tokens, prompt))
