"""Embeddings: calls and answers that pass as they came, but for the name of the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from gateway.protocols import bodies, openai_usage
from gateway.protocols.canonical import Usage
from gateway.protocols.estimate import text_tokens


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
class EmbeddingsRequest:
    """A decoded request; ``fields`` are its top-level values as bytes."""

    model: str
    prompt_tokens: int
    fields: dict[str, msgspec.Raw]
    stream: bool = False
    choices: int = 1
    max_output_tokens: int | None = None

    def body(
        self,
        upstream_model: str,
        parameters: Mapping[str, Any],
        max_output_tokens: int | None,  # noqa: ARG002 -- embeddings have no output
        output_field: str,  # noqa: ARG002
    ) -> bytes:
        """The body for the upstream; ``parameters`` only where the client gave none."""
        return msgspec.json.encode({**parameters, **self.fields, "model": upstream_model})


@dataclass(frozen=True, slots=True)
class EmbeddingsAnswer:
    body: bytes
    usage: Usage | None


def decode(body: bytes) -> EmbeddingsRequest:
    """Read a request; raises InvalidRequestError naming the field."""
    known = bodies.read(_known, body)
    return EmbeddingsRequest(known.model, _tokens(known.input), bodies.read(_fields, body))


def read_answer(body: bytes, asked_model: str) -> EmbeddingsAnswer | None:
    """The answer under the name that was asked for; None if the body is no answer."""
    try:
        answer = _answers.decode(body)
        if answer.error or not answer.data:
            return None
        if answer.model not in {None, asked_model}:
            body = msgspec.json.encode({**_fields.decode(body), "model": asked_model})
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return EmbeddingsAnswer(body, openai_usage.read(answer.usage))


def _tokens(given: str | int | list[Any]) -> int:
    """Text by the estimator; arrays of numbers are tokens already."""
    if isinstance(given, int):
        return 1
    if isinstance(given, str):
        return text_tokens(given)
    return sum(map(_tokens, given))
