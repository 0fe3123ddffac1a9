"""Fetching images and documents for a provider that cannot fetch them itself."""

import asyncio
from base64 import b64encode
from typing import TypeVar

import msgspec
from yarl import URL

from gateway.errors import UnfetchableUrlError
from gateway.protocols.canonical import Call, Document, Image, Item, Message, ToolResult
from gateway.transport import Fetcher

IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
DOCUMENTS = frozenset({"application/pdf"})
MAX_URLS = 20
MAX_AT_ONCE = 4
# No provider takes more in one request.
MAX_BYTES = 32 * 1024 * 1024

AnyItem = TypeVar("AnyItem", bound=Item)
Wish = tuple[str, frozenset[str]]
"""A URL, and the media types that it may turn out to be."""


class Inlined(msgspec.Struct, frozen=True):
    media_type: str
    data: str  # base64


async def inline(call: Call, fetcher: Fetcher, *, images: bool, documents: bool) -> Call:
    """The call with content instead of URLs; the same object where there are none.

    Raises UnfetchableUrlError for the first URL that fails.
    """
    kinds: dict[type, frozenset[str]] = {}
    if images:
        kinds[Image] = IMAGES
    if documents:
        kinds[Document] = DOCUMENTS
    wishes = {wish for message in call.messages for wish in _wishes(message.items, kinds)}
    if not wishes:
        return call
    if len(wishes) > MAX_URLS:
        raise UnfetchableUrlError(
            f"At most {MAX_URLS} images and documents may be given by URL; send the others inline."
        )
    found = await _fetch_all(fetcher, wishes)
    messages = tuple(_with_content(message, kinds, found) for message in call.messages)
    return msgspec.structs.replace(call, messages=messages)


def _wishes(items: tuple[Item, ...], kinds: dict[type, frozenset[str]]) -> set[Wish]:
    wishes = set()
    for item in items:
        if isinstance(item, ToolResult):
            wishes |= _wishes(item.content, kinds)
        elif (wish := _find_wish(item, kinds)) is not None:
            wishes.add(wish)
    return wishes


def _find_wish(item: Item, kinds: dict[type, frozenset[str]]) -> Wish | None:
    if isinstance(item, Image | Document) and item.url is not None and type(item) in kinds:
        return item.url, kinds[type(item)]
    return None


async def _fetch_all(fetcher: Fetcher, wishes: set[Wish]) -> dict[Wish, Inlined]:
    """The first failure ends the others: the call cannot be answered any more."""
    slots = asyncio.Semaphore(MAX_AT_ONCE)
    found: dict[Wish, Inlined] = {}
    size = 0

    async def fetch(wish: Wish) -> None:
        nonlocal size
        async with slots:
            fetched = await fetcher.fetch(*wish)
        size += len(fetched.data)
        if size > MAX_BYTES:
            raise UnfetchableUrlError(
                f"What the URLs of the request point to is larger than {MAX_BYTES} bytes together."
            )
        found[wish] = Inlined(fetched.media_type, b64encode(fetched.data).decode())

    try:
        async with asyncio.TaskGroup() as group:
            for wish in wishes:
                group.create_task(fetch(wish))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return found


def _with_content(
    message: Message, kinds: dict[type, frozenset[str]], found: dict[Wish, Inlined]
) -> Message:
    items = tuple(_filled(item, kinds, found) for item in message.items)
    return msgspec.structs.replace(message, items=items)


def _filled(
    item: AnyItem, kinds: dict[type, frozenset[str]], found: dict[Wish, Inlined]
) -> AnyItem:
    if isinstance(item, ToolResult):
        content = tuple(_filled(inner, kinds, found) for inner in item.content)
        return msgspec.structs.replace(item, content=content)
    wish = _find_wish(item, kinds)
    if wish is None:
        return item
    inlined = found[wish]
    filled = msgspec.structs.replace(
        item, url=None, media_type=inlined.media_type, data=inlined.data
    )
    if isinstance(filled, Document) and filled.name is None:
        # Some vendors refuse a file without a name.
        return msgspec.structs.replace(filled, name=URL(wish[0]).name or None)
    return filled
