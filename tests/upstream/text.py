"""The words of the answers, cut into the pieces that a stream sends one by one."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

QUOTED_WORDS = 12
QUOTED_CHARACTERS = 120
JSON_PIECE_CHARACTERS = 8

_word = re.compile(r"\s*\S+|\s+$")
_call = re.compile(r"\bcall:([A-Za-z0-9_]+(?:,[A-Za-z0-9_]+)*)")


def plain_text(content: object) -> str:
    """The text of a message's content, without its images and files."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part if isinstance(part, str) else part.get("text") for part in content if part]
    return "\n".join(text for text in texts if isinstance(text, str))


def last_user_text(messages: Sequence[dict[str, Any]]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            return plain_text(message.get("content"))
    return ""


def quote(text: str) -> str:
    words = text.split()
    short = " ".join(words[:QUOTED_WORDS])
    if len(short) > QUOTED_CHARACTERS:
        return short[: QUOTED_CHARACTERS - 1] + "…"
    return short + (" …" if len(words) > QUOTED_WORDS else "")


@lru_cache(maxsize=1024)
def demo_pieces(question: str) -> tuple[str, ...]:
    """12 to 40 words that show a newcomer that his own words made the round trip."""
    said = f'You said: "{quote(question)}".' if question.strip() else "You said nothing."
    return split_words(
        f"{said} This is the demo upstream answering: no model was asked,"
        " and the same question always gets the same words."
    )


@lru_cache(maxsize=1024)
def reasoning_pieces(question: str, count: int) -> tuple[str, ...]:
    thought = split_words(f'The user wrote "{quote(question)}", so I will say that back politely.')
    return (thought + numbered_pieces(count, None))[:count]


@lru_cache(maxsize=256)
def numbered_pieces(count: int, size: int | None) -> tuple[str, ...]:
    """Pieces that carry their own index, so that a lost or reordered one shows."""
    pieces = (f" tok{index:05d}" for index in range(count))
    if size is None:
        return tuple(pieces)
    return tuple(piece.ljust(size, "x")[:size] for piece in pieces)


def split_words(text: str) -> tuple[str, ...]:
    return tuple(_word.findall(text))


def split_json(text: str) -> tuple[str, ...]:
    step = JSON_PIECE_CHARACTERS
    return tuple(text[start : start + step] for start in range(0, len(text), step))


def continue_after(pieces: tuple[str, ...], prefix: str) -> tuple[str, ...]:
    """What is left of an answer of which the prefix is said already; all of it if it differs."""
    if not prefix or not "".join(pieces).startswith(prefix):
        return pieces
    left = len(prefix)
    for index, piece in enumerate(pieces):
        if left < len(piece):
            rest = pieces[index + 1 :]
            return (piece[left:], *rest) if left else pieces[index:]
        left -= len(piece)
    return ()


def first_stop(pieces: tuple[str, ...], stops: Sequence[str]) -> str | None:
    """The stop sequence that would be said first."""
    text = "".join(pieces)
    found = [(at, stop) for stop in stops if stop and (at := text.find(stop)) >= 0]
    return min(found)[1] if found else None


def stop_before(pieces: tuple[str, ...], stops: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """The pieces up to the first stop sequence, which is not said, and whether there was one."""
    text = "".join(pieces)
    found = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    if not found:
        return pieces, False
    end, kept, length = min(found), [], 0
    for piece in pieces:
        if length + len(piece) >= end:
            if end > length:
                kept.append(piece[: end - length])
            break
        kept.append(piece)
        length += len(piece)
    return tuple(kept), True


def requested_calls(text: str) -> tuple[str, ...]:
    """The tools named by ``call:NAME`` or ``call:A,B`` in what the user wrote."""
    found = _call.search(text)
    return tuple(found.group(1).split(",")) if found else ()
