"""Chat calls that leave as they came: only what the gateway needs is read from them.

The body is taken apart into its top-level fields, whose values stay bytes; what must
change is exchanged and the rest, unknown fields included, goes on untouched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from gateway.errors import InvalidRequestError
from gateway.protocols import estimate

MAX_CHOICES = 128

Positive = Annotated[int, msgspec.Meta(ge=1)]


class _Message(msgspec.Struct):
    role: str
    content: msgspec.Raw = msgspec.Raw(b"null")


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Known(msgspec.Struct):
    model: str
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=MAX_CHOICES)] | None = None


_known = msgspec.json.Decoder(_Known)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A decoded chat request; ``fields`` are its top-level values as bytes."""

    model: str
    stream: bool
    include_usage: bool
    choices: int
    max_output_tokens: int | None
    prompt_tokens: int
    fields: dict[str, msgspec.Raw]

    def body(
        self,
        upstream_model: str,
        parameters: Mapping[str, Any],
        max_output_tokens: int | None,
        output_field: str,
    ) -> bytes:
        """The body for the upstream; ``max_output_tokens`` None leaves the client's limit."""
        fields: dict[str, Any] = {**parameters, **self.fields}
        if upstream_model != self.model:
            fields["model"] = upstream_model
        if max_output_tokens is not None and max_output_tokens != self.max_output_tokens:
            fields[self._limit_field(output_field)] = max_output_tokens
        if self.stream and not self.include_usage:
            fields["stream_options"] = _with_usage(self.fields.get("stream_options"))
        return encode(fields)

    def _limit_field(self, default: str) -> str:
        for name in ("max_completion_tokens", "max_tokens"):
            if name in self.fields and bytes(self.fields[name]) != b"null":
                return name
        return default


def _with_usage(given: msgspec.Raw | None) -> dict[str, Any]:
    """The client's stream options with the usage event that the gateway bills by."""
    options = msgspec.json.decode(given) if given is not None else None
    return {**(options or {}), "include_usage": True}


def decode(body: bytes) -> ChatRequest:
    """Read a chat request; raises InvalidRequestError naming the field."""
    try:
        text_is_valid(body)
        known = _known.decode(body)
        fields = _fields.decode(body)
    except msgspec.ValidationError as error:
        raise invalid_field(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"The body is not valid JSON: {error}") from error
    except RecursionError as error:
        raise InvalidRequestError("The body is nested too deeply.") from error
    options = known.stream_options
    return ChatRequest(
        model=known.model,
        stream=bool(known.stream),
        include_usage=options is not None and bool(options.include_usage),
        choices=known.n or 1,
        max_output_tokens=known.max_completion_tokens or known.max_tokens,
        prompt_tokens=estimate.prompt_tokens(bytes(fields["messages"]))
        + (estimate.prompt_tokens(bytes(fields["tools"])) if "tools" in fields else 0),
        fields=fields,
    )


def text_is_valid(body: bytes) -> None:
    """Raw values are not looked into, so that invalid UTF-8 has to be found before."""
    if not body.isascii():
        body.decode()


def invalid_field(error: msgspec.ValidationError) -> InvalidRequestError:
    """What msgspec says, "Expected `int`, got `str` - at `$.n`" with the field as our ``param``."""
    text, _, path = str(error).partition(" - at `$")
    name = path.rstrip("`").lstrip(".") or _missing(text)
    return InvalidRequestError(f"Invalid value for '{name}': {text}." if name else text, param=name)


def _missing(text: str) -> str | None:
    _, found, rest = text.partition("required field `")
    return rest.rstrip("`") if found else None
