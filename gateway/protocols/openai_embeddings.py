"""Embeddings: calls and answers that pass as they came, but for the name of the model."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from gateway.protocols import bodies, openai_usage
from gateway.protocols.estimate import text_tokens
from gateway.protocols.exchange import Read, Wish
from gateway.protocols.plain_exchange import PlainRequest
from gateway.protocols.problems import NOT_JSON, no_answer


class _Known(msgspec.Struct):
    model: Annotated[str, msgspec.Meta(min_length=1)]
    input: (
        Annotated[str, msgspec.Meta(min_length=1)]
        | Annotated[list[str | int | list[int]], msgspec.Meta(min_length=1)]
    )
    encoding_format: str | None = None
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    user: str | None = None


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw]
    model: str | None = None
    usage: Any = None
    error: Any = None


_known = msgspec.json.Decoder(_Known)
_answers = msgspec.json.Decoder(_Answer)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest(PlainRequest):
    """A decoded request; ``fields`` are its top-level values as bytes."""

    def body(self, wish: Wish) -> bytes:
        """The body for the upstream; ``parameters`` only where the client gave none."""
        return msgspec.json.encode({**wish.parameters, **self.fields, "model": wish.model})

    def read(self, body: bytes, name: str) -> Read:
        """The answer under the name that was asked for."""
        try:
            answer = _answers.decode(body)
            if answer.error or not answer.data:
                raise no_answer(body, "The provider's answer holds no embeddings.")
            if answer.model not in {None, name}:
                body = msgspec.json.encode({**_fields.decode(body), "model": name})
        except NOT_JSON as error:
            raise no_answer(body, "The provider's answer could not be read.") from error
        return Read(body, openai_usage.read(answer.usage))


def decode(body: bytes) -> EmbeddingsRequest:
    """Read a request; raises InvalidRequestError naming the field."""
    known = bodies.read(_known, body)
    return EmbeddingsRequest(known.model, _tokens(known.input), bodies.read(_fields, body))


def _tokens(given: str | int | list[Any]) -> int:
    """Text by the estimator; arrays of numbers are tokens already."""
    if isinstance(given, int):
        return 1
    if isinstance(given, str):
        return text_tokens(given)
    return sum(map(_tokens, given))
