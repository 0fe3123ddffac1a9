"""The Anthropic messages dialect: requests, answers and streams, in both directions."""

from gateway.protocols.anthropic_messages.answer import decode as decode_answer
from gateway.protocols.anthropic_messages.answer import encode as encode_answer
from gateway.protocols.anthropic_messages.encoding import encode as encode_request
from gateway.protocols.anthropic_messages.reader import Reader
from gateway.protocols.anthropic_messages.request import decode as decode_request
from gateway.protocols.anthropic_messages.request import decode_count
from gateway.protocols.anthropic_messages.thinking import bounded
from gateway.protocols.anthropic_messages.writer import Writer

__all__ = [
    "Reader",
    "Writer",
    "bounded",
    "decode_answer",
    "decode_count",
    "decode_request",
    "encode_answer",
    "encode_request",
]
