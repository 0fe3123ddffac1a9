"""Forward rules: a request for one model is served by another, at the price of the first."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway.catalog import Catalog, Offer
from gateway.errors import InvalidRequestError
from gateway.protocols.canonical import Call, Text, ToolResult

LONGEST_CHAIN = 8
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that applied, for those who ask why."""

    model: str
    target: str
    reason: str


def forwarded(
    catalog: Catalog, offer: Offer, read: Callable[[], Call | None]
) -> tuple[Offer, list[Step]]:
    """The model that serves in the end, and how it came to that.

    A missing target, a circle or too long a chain ends where it is: the request is served.
    ``read`` gives the canonical request; it is only asked if a rule wants to know it.
    """
    steps: list[Step] = []
    seen = {offer.slug}
    while offer.forward and len(steps) < LONGEST_CHAIN:
        rule = offer.forward
        target = _target(rule, read)
        following = catalog.find(target[0]) if target else None
        if target is None or following is None or following.slug in seen:
            break
        steps.append(Step(offer.slug, following.slug, target[1]))
        seen.add(following.slug)
        offer = following
    return offer, steps


def _target(rule: Mapping[str, Any], read: Callable[[], Call | None]) -> tuple[str, str] | None:
    """The name of the model, and why."""
    if rule["rule"] == "all":
        return rule["model"], "every request"
    call = _find_call(read)
    if call is None:
        return None
    if rule["rule"] == "length":
        length, least = content_bytes(call), rule["at_least"]
        return (rule["model"], f"{length} bytes, at least {least}") if length >= least else None
    return _by_keyword(rule["keywords"], last_text(call))


def _find_call(read: Callable[[], Call | None]) -> Call | None:
    """What we cannot read may still be understood upstream."""
    with suppress(InvalidRequestError):
        return read()
    return None


def _by_keyword(keywords: list[dict[str, str]], text: str) -> tuple[str, str] | None:
    """Both sides in lower case and without white space; the first hit counts."""
    squeezed = _squeezed(text)
    for keyword in keywords:
        if _pattern(keyword["pattern"]).search(squeezed):
            return keyword["model"], f"keyword {keyword['pattern']!r}"
    return None


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(_SPACE.sub("", text), re.IGNORECASE)


def _squeezed(text: str) -> str:
    return _SPACE.sub("", text).lower()


def last_text(call: Call) -> str:
    """The text of the last message."""
    items = call.messages[-1].items if call.messages else ()
    texts = [item.text for item in items if isinstance(item, Text)]
    for item in items:
        if isinstance(item, ToolResult):
            texts += [part.text for part in item.content if isinstance(part, Text)]
    return "".join(texts)


def content_bytes(call: Call) -> int:
    """The text of all messages in UTF-8; what is no text counts as it is encoded."""
    return sum(_bytes_of(item) for message in call.messages for item in message.items)


def _bytes_of(item: Any) -> int:  # noqa: ANN401 -- any item
    if isinstance(item, ToolResult):
        return sum(map(_bytes_of, item.content))
    values = (getattr(item, name, None) for name in ("text", "data", "arguments", "url"))
    return sum(len(value.encode()) for value in values if isinstance(value, str))
