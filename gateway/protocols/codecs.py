"""The dialects of chat by name."""

from collections.abc import Mapping

from gateway.protocols import anthropic_messages, openai_chat
from gateway.protocols.exchange import Codec, StreamReader
from gateway.protocols.think_tags import Untagged
from gateway.protocols.traits import Traits

# A model's parameters are the same for all who serve it, whatever they speak.
_LIMIT_FIELDS = frozenset(("max_completion_tokens", "max_tokens"))


def _openai_reader(traits: Traits) -> StreamReader:
    return Untagged(openai_chat.Reader()) if traits.think_tags else openai_chat.Reader()


OPENAI = Codec(
    "openai",
    openai_chat.decode_request,
    openai_chat.encode_request,
    openai_chat.decode_answer,
    openai_chat.encode_answer,
    _LIMIT_FIELDS,
    openai_chat.bounded,
    _openai_reader,
    openai_chat.Writer,
)
ANTHROPIC = Codec(
    "anthropic",
    anthropic_messages.decode_request,
    anthropic_messages.encode_request,
    anthropic_messages.decode_answer,
    anthropic_messages.encode_answer,
    _LIMIT_FIELDS,
    anthropic_messages.bounded,
    lambda _: anthropic_messages.Reader(),
    anthropic_messages.Writer,
)
CODECS: Mapping[str, Codec] = {codec.name: codec for codec in (OPENAI, ANTHROPIC)}
