"""The chat completions dialect: requests, answers and streams, in both directions."""

from gateway.protocols.openai_chat.answer import decode as decode_answer
from gateway.protocols.openai_chat.answer import encode as encode_answer
from gateway.protocols.openai_chat.encoding import bounded
from gateway.protocols.openai_chat.encoding import encode as encode_request
from gateway.protocols.openai_chat.reader import Reader
from gateway.protocols.openai_chat.request import decode as decode_request
from gateway.protocols.openai_chat.writer import Writer

__all__ = [
    "Reader",
    "Writer",
    "bounded",
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_request",
]
