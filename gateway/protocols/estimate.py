"""The token estimator: what text weighs where no vendor has counted it.

A CJK character counts 1.5 tokens, any other a quarter of one; the sum is rounded up. CJK is
taken as everything from U+3000 on, which includes kana, Hangul, full-width forms and emoji.

Of a ``messages`` array every byte counts as text, keys and punctuation included, because
vendors add a few tokens per message too and a hold should rather be too large. An image counts
a fixed number of tokens, however many bytes it has; sound and files, one per hundred bytes but
no fewer than another fixed number, because their length is what matters.
"""

import msgspec

IMAGE_TOKENS = 1_600
LEAST_FILE_TOKENS = 2_000
BYTES_PER_FILE_TOKEN = 100

# Below this vendors cache no prompt.
CACHEABLE_TOKENS = 1_024
MOST_BEFORE_USER = 4

_IMAGES = frozenset({"image_url", "image", "input_image"})
_FILES = frozenset({"input_audio", "audio", "file", "input_file", "document"})

# Counted in quarters of a token, by deleting bytes: no decoding, no loop over characters.
_CONTINUATION = bytes(range(0x80, 0xC0))
_LEAD_OF_CJK = bytes(range(0xE3, 0xF5))
_QUARTERS_OF_CJK = 6

_NULL = msgspec.Raw(b"null")


class _Source(msgspec.Struct):
    type: str = ""


class _Part(msgspec.Struct):
    type: str = ""
    source: _Source | None = None
    content: msgspec.Raw = _NULL


class _Message(msgspec.Struct):
    content: msgspec.Raw = _NULL


class _Role(msgspec.Struct):
    role: str = ""


_messages = msgspec.json.Decoder(list[_Message])
_role = msgspec.json.Decoder(_Role)
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_part = msgspec.json.Decoder(_Part)


def beginning(raw: bytes) -> bytes:
    """Of an array of messages what stays the same from the first call of a conversation on."""
    taken = []
    try:
        for message in _raws.decode(raw)[:MOST_BEFORE_USER]:
            taken.append(bytes(message))
            if _role.decode(taken[-1]).role == "user":
                break
    except (msgspec.DecodeError, RecursionError):
        return raw
    return b"".join(taken)


def text_tokens(text: str) -> int:
    return _rounded_up(_quarters(text.encode("utf-8", "surrogatepass")))


def prompt_tokens(raw: bytes) -> int:
    """Of a ``messages`` array as it came, in either dialect; of other JSON, as of text."""
    if b'"type"' not in raw:  # no content parts: nothing but text
        return _rounded_up(_quarters(raw))
    return _rounded_up(_quarters(raw) + _correction(raw))


def _rounded_up(quarters: int) -> int:
    return (quarters + 3) >> 2


def _quarters(data: bytes) -> int:
    if data.isascii():
        return len(data)
    characters = len(data.translate(None, _CONTINUATION))
    cjk = len(data) - len(data.translate(None, _LEAD_OF_CJK))
    return characters + (_QUARTERS_OF_CJK - 1) * cjk


def _correction(raw: bytes) -> int:
    """What to add, in quarters, for parts that are not text and must not count as it."""
    try:
        return sum(_of_content(bytes(message.content)) for message in _messages.decode(raw))
    except (msgspec.DecodeError, RecursionError):
        return 0


def _of_content(content: bytes) -> int:
    if not content.startswith(b"["):
        return 0
    return sum(_of_part(bytes(part)) for part in _raws.decode(content))


def _of_part(raw: bytes) -> int:
    part = _part.decode(raw)
    if part.type in _IMAGES:
        return 4 * IMAGE_TOKENS - _quarters(raw)
    if part.type in _FILES and (part.source is None or part.source.type != "text"):
        tokens = max(LEAST_FILE_TOKENS, len(raw) // BYTES_PER_FILE_TOKEN)
        return 4 * tokens - _quarters(raw)
    return _of_content(bytes(part.content))  # a tool result may hold images
