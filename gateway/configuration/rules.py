"""What a model does when it does not answer itself: rules of forwarding and of falling back.

The tables keep them as they are written; here they are checked, and so are capabilities.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, UnsetType

from gateway.protocols.traits import traits_of

# Where a rule names an object: its place in the rule and the object's slug.
Named = Iterator[tuple[str, str]]


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """One rule; a misspelt field is an error."""


class ForwardAll(Rule, tag_field="rule", tag="all"):
    """Every call goes to that model."""

    model: str

    def models(self) -> Named:
        yield "model", self.model


class Keyword(Rule):
    """Looked for without white space, which may leave nothing, or no expression."""

    pattern: Annotated[str, Meta(pattern=r"\S")]
    model: str

    def __post_init__(self) -> None:
        try:
            re.compile("".join(self.pattern.split()))
        except re.error as error:
            msg = f"{self.pattern!r} is not a regular expression: {error}"
            raise ValueError(msg) from error


class ForwardKeyword(Rule, tag_field="rule", tag="keyword"):
    """The first pattern that is found in the last message decides."""

    keywords: Annotated[list[Keyword], Meta(min_length=1)]

    def models(self) -> Named:
        for number, keyword in enumerate(self.keywords):
            yield f"keywords[{number}].model", keyword.model


class ForwardLength(Rule, tag_field="rule", tag="length"):
    """Calls whose messages have at least so many bytes."""

    at_least: Annotated[int, Meta(ge=1)]
    model: str

    def models(self) -> Named:
        yield "model", self.model


Forward = ForwardAll | ForwardKeyword | ForwardLength


class Fallback(Rule):
    """What is tried when every target of the model has failed, in this order."""

    backend: str | None = None
    model: str | None = None
    models: list[str] = []
    # Refusals for their content, too, are tried elsewhere.
    on_content_policy: bool = False
    # The model for what does not fit into the context of this one.
    larger_context: str | None = None

    def named_models(self) -> Named:
        if self.model is not None:
            yield "model", self.model
        for number, slug in enumerate(self.models):
            yield f"models[{number}]", slug
        if self.larger_context is not None:
            yield "larger_context", self.larger_context

    def named_backends(self) -> Named:
        if self.backend is not None:
            yield "backend", self.backend


def read_forward(raw: Mapping[str, Any]) -> Forward:
    return msgspec.convert(raw, Forward)  # type: ignore[no-any-return]


def read_fallback(raw: Mapping[str, Any]) -> Fallback:
    return msgspec.convert(raw, Fallback)


def check_model(
    forward: Mapping[str, Any] | UnsetType,
    fallback: Mapping[str, Any] | UnsetType,
    capabilities: Mapping[str, Any] | UnsetType,
) -> None:
    """Raises ValueError, which the decoder turns into an error with the path."""
    _check("forward", forward, read_forward)
    _check("fallback", fallback, read_fallback)
    check_capabilities(capabilities)


def check_capabilities(capabilities: Mapping[str, Any] | UnsetType) -> None:
    """Those that calls go by must be right; others belong to other contracts."""
    _check("capabilities", capabilities, traits_of)


def _check(
    field: str, raw: Mapping[str, Any] | UnsetType, read: Callable[[Mapping[str, Any]], object]
) -> None:
    """An empty object is no rule at all."""
    if isinstance(raw, UnsetType) or not raw:
        return
    try:
        read(raw)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        msg = f"{field}{place.rstrip('`')}: {problem}"
        raise ValueError(msg) from error
