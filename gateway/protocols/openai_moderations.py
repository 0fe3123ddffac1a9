"""Moderations: calls and answers that pass as they came, but for the name of the model."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from gateway.protocols import bodies, openai_usage
from gateway.protocols.estimate import IMAGE_TOKENS, text_tokens
from gateway.protocols.exchange import Read, Wish
from gateway.protocols.plain_exchange import PlainRequest
from gateway.protocols.problems import NOT_JSON, no_answer
from gateway.protocols.renaming import renamed

DEFAULT_MODEL = "omni-moderation-latest"
PATH = ("model",)


class _Part(msgspec.Struct):
    type: str
    text: str | None = None


class _Known(msgspec.Struct):
    input: (
        Annotated[str, msgspec.Meta(min_length=1)]
        | Annotated[list[str | _Part], msgspec.Meta(min_length=1)]
    )
    model: Annotated[str, msgspec.Meta(min_length=1)] | None = None


class _Answer(msgspec.Struct):
    results: list[msgspec.Raw]
    model: str | None = None
    usage: Any = None
    error: Any = None


_known = msgspec.json.Decoder(_Known)
_answers = msgspec.json.Decoder(_Answer)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class ModerationsRequest(PlainRequest):
    """A decoded request; vendors report no usage, so the estimate of the input is charged."""

    def body(self, wish: Wish) -> bytes:
        return msgspec.json.encode({**wish.parameters, **self.fields, "model": wish.model})

    def read(self, body: bytes, name: str) -> Read:
        """The answer under the name that was asked for; raises UpstreamError."""
        try:
            answer = _answers.decode(body)
        except NOT_JSON as error:
            raise no_answer(body, "The provider's answer could not be read.") from error
        if answer.error or not answer.results:
            raise no_answer(body, "The provider's answer holds no results.")
        if answer.model is not None:
            body = renamed(body, answer.model, name, PATH)
        return Read(body, openai_usage.read(answer.usage))


def decode(body: bytes) -> ModerationsRequest:
    """Read a request; raises InvalidRequestError naming the field."""
    known = bodies.read(_known, body)
    fields = bodies.read(_fields, body)
    return ModerationsRequest(known.model or DEFAULT_MODEL, _tokens(known.input), fields)


def _tokens(given: str | list[str | _Part]) -> int:
    if isinstance(given, str):
        return text_tokens(given)
    return sum(map(_tokens_of, given))


def _tokens_of(item: str | _Part) -> int:
    if isinstance(item, str):
        return text_tokens(item)
    return text_tokens(item.text) if item.text is not None else IMAGE_TOKENS
