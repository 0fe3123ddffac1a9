"""Answers under the name that the client asked for: one member exchanged, the rest untouched."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.protocols import sse

_objects = msgspec.json.Decoder(dict[str, Any])


class Renaming:
    """Exchanges the model's name in the events of one stream; the names are found out once."""

    def __init__(self, asked: str) -> None:
        self._asked = asked
        self._named: str | None = None
        self._swap: tuple[bytes, bytes] | None = None

    def apply(self, event: bytes, data: bytes, model: str, path: Sequence[str]) -> bytes:
        """The event with ``model``, which stands at ``path`` of its data, under the other name."""
        if model == self._asked:
            return event
        if self._named != model:
            self._named = model
            self._swap = _swap(event, model, self._asked)
        if self._swap is not None and self._swap[0] in event:
            return event.replace(*self._swap)
        name = sse.name_of(event)
        return sse.frame(_rebuilt(data, self._asked, path), name.decode() if name else None)


def renamed(document: bytes, model: str, asked: str, path: Sequence[str]) -> bytes:
    """A whole document under the other name."""
    if model == asked:
        return document
    swap = _swap(document, model, asked)
    # A tool's arguments may hold the same words.
    if swap is not None and len(_members(document, model)) == 1:
        return document.replace(*swap)
    return _rebuilt(document, asked, path)


def _members(document: bytes, model: str) -> list[bytes]:
    """Every ``"model": …`` of that value, however it is spaced and wherever it stands."""
    return re.findall(rb'"model"\s*:\s*' + re.escape(msgspec.json.encode(model)), document)


def _swap(document: bytes, model: str, asked: str) -> tuple[bytes, bytes] | None:
    """The ``"model": …`` member to look for and what takes its place."""
    for separator in (b":", b": "):
        member = b'"model"' + separator
        old = member + msgspec.json.encode(model)
        if old in document:
            return old, member + msgspec.json.encode(asked)
    return None


def _rebuilt(document: bytes, asked: str, path: Sequence[str]) -> bytes:
    """For those who write the member in a way of their own, with escapes or more spaces."""
    decoded = _objects.decode(document)
    place = decoded
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = asked
    return msgspec.json.encode(decoded)
