"""The request that ``sluice route`` asks about, read as the API would read it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway import clock
from gateway.catalog import Offer
from gateway.protocols import openai_embeddings, openai_moderations
from gateway.protocols.anthropic_messages import passthrough as messages
from gateway.protocols.errors import ANTHROPIC, OPENAI, Dialect
from gateway.protocols.exchange import Request
from gateway.protocols.openai_chat import passthrough as chat
from gateway.relay import Call

# Where a body must name a bound on its answer.
DEFAULT_MAX_TOKENS = 1024

Decode = Callable[[bytes], Request]
CHAT: Mapping[str, tuple[Dialect, Decode]] = {
    OPENAI.name: (OPENAI, chat.decode),
    ANTHROPIC.name: (ANTHROPIC, messages.decode),
}
# Models of these types have routes of their own.
OTHERS: Mapping[str, tuple[str, Decode]] = {
    "embedding": ("embeddings", openai_embeddings.decode),
    "moderation": ("moderations", openai_moderations.decode),
}


@dataclass(frozen=True, slots=True)
class Question:
    """What the command was asked about."""

    model: str
    prompt: str | dict[str, Any]
    dialect: str
    stream: bool
    max_tokens: int | None
    region: str | None


def call_of(question: Question, offer: Offer | None) -> Call:
    """The call, as if a client had made it; raises InvalidRequestError."""
    dialect, decode = CHAT[question.dialect]
    operation, body = "chat", _chat_body(question)
    if offer is not None and offer.type in OTHERS and question.dialect == OPENAI.name:
        operation, decode = OTHERS[offer.type]
        body = _input_body(question)
    return Call(
        reference="",
        surface=dialect.name,
        operation=operation,
        api_key="",
        request=decode(msgspec.json.encode(body)),
        dialect=dialect,
        started=clock.monotonic(),
        started_ms=clock.now_ms(),
        region=question.region,
    )


def _chat_body(question: Question) -> dict[str, Any]:
    """What the command line says wins over the file."""
    given = question.prompt
    if isinstance(given, str):
        given = {"messages": [{"role": "user", "content": given}]}
    body = {**given, "model": question.model}
    if question.stream:
        body["stream"] = True
    if question.max_tokens is not None:
        body.pop("max_completion_tokens", None)
        body["max_tokens"] = question.max_tokens
    elif question.dialect == ANTHROPIC.name:
        body.setdefault("max_tokens", DEFAULT_MAX_TOKENS)
    return body


def _input_body(question: Question) -> dict[str, Any]:
    given = question.prompt
    return {**({"input": given} if isinstance(given, str) else given), "model": question.model}
