"""Images and documents given by URL become part of the call."""

import asyncio
from base64 import b64decode

import pytest

from gateway.errors import UnfetchableUrlError
from gateway.protocols.canonical import (
    Call,
    Document,
    Image,
    Item,
    Message,
    Role,
    Text,
    ToolResult,
)
from gateway.relay import media
from gateway.settings import FetchSettings
from gateway.transport import Fetched, Fetcher

CAT = "https://pictures.test/cat.png"
PAPER = "https://papers.test/paper.pdf?signature=x"


class Pictures(Fetcher):
    """Answers with the URL itself, and remembers what was asked."""

    def __init__(self, size: int = 0) -> None:
        super().__init__(FetchSettings())
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self._size = size

    async def fetch(self, url: str, accept: frozenset[str] | None = None) -> Fetched:
        self.asked.append(url)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0.01)
        finally:
            self.at_once -= 1
        if "missing" in url:
            raise UnfetchableUrlError(f"{url} is missing.")
        assert accept in (media.IMAGES, media.DOCUMENTS)
        media_type = "image/png" if accept == media.IMAGES else "application/pdf"
        return Fetched(media_type, url.encode().ljust(self._size))


def call_with(*items: Item) -> Call:
    said = Message(Role.USER, (Text("What is this?"), *items))
    return Call(model="m", messages=(Message(Role.SYSTEM, (Text("Be brief."),)), said))


def items_of(call: Call) -> tuple[Item, ...]:
    return call.messages[1].items[1:]


async def inline(call: Call, fetcher: Fetcher) -> Call:
    return await media.inline(call, fetcher, images=True, documents=True)


async def test_a_url_becomes_content_and_nothing_else_changes() -> None:
    call = call_with(Image(url=CAT, detail="low"), Document(url=PAPER), Text("And?"))
    image, document, text = items_of(await inline(call, Pictures()))
    assert isinstance(image, Image)
    assert isinstance(document, Document)
    assert (image.media_type, image.url, image.detail) == ("image/png", None, "low")
    assert b64decode(image.data or "").decode() == CAT
    assert (document.media_type, document.url) == ("application/pdf", None)
    assert b64decode(document.data or "").decode() == PAPER
    assert text == Text("And?")


async def test_a_document_is_called_as_its_file_unless_it_has_a_name() -> None:
    call = call_with(Document(url=PAPER), Document(url=PAPER, name="mine"))
    names = [
        item.name for item in items_of(await inline(call, Pictures())) if hasattr(item, "name")
    ]
    assert names == ["paper.pdf", "mine"]


async def test_what_a_tool_brought_is_inlined_too() -> None:
    call = call_with(ToolResult("t1", (Text("Here:"), Image(url=CAT)), is_error=True))
    [result] = items_of(await inline(call, Pictures()))
    assert isinstance(result, ToolResult)
    assert (result.call_id, result.is_error, result.content[0]) == ("t1", True, Text("Here:"))
    assert isinstance(result.content[1], Image)
    assert result.content[1].data


@pytest.mark.parametrize(
    "item",
    [
        Text("hi"),
        Image(media_type="image/png", data="AAAA"),
        Document(file_id="file-1"),
        Document(text="Once"),
        ToolResult("t1", (Text("42"),)),
    ],
)
async def test_a_call_without_urls_is_the_same_object(item: Item) -> None:
    call = call_with(item)
    fetcher = Pictures()
    assert await inline(call, fetcher) is call
    assert fetcher.asked == []


async def test_only_the_asked_for_kind_is_fetched() -> None:
    call = call_with(Image(url=CAT), Document(url=PAPER))
    fetcher = Pictures()
    image, document = items_of(await media.inline(call, fetcher, images=False, documents=True))
    assert image == Image(url=CAT)
    assert isinstance(document, Document)
    assert document.data
    assert fetcher.asked == [PAPER]
    assert await media.inline(call, fetcher, images=False, documents=False) is call


async def test_the_same_url_is_fetched_once() -> None:
    fetcher = Pictures()
    call = call_with(*[Image(url=CAT)] * 30, ToolResult("t1", (Image(url=CAT),)))
    inlined = await inline(call, fetcher)
    assert fetcher.asked == [CAT]
    assert all(item.data for item in items_of(inlined) if isinstance(item, Image))


async def test_urls_are_fetched_four_at_a_time() -> None:
    fetcher = Pictures()
    await inline(call_with(*[Image(url=f"{CAT}?{n}") for n in range(20)]), fetcher)
    assert len(fetcher.asked) == 20
    assert fetcher.most_at_once == media.MAX_AT_ONCE


async def test_too_many_urls_are_refused_before_the_first_is_fetched() -> None:
    fetcher = Pictures()
    with pytest.raises(UnfetchableUrlError, match="At most 20"):
        await inline(call_with(*[Image(url=f"{CAT}?{n}") for n in range(21)]), fetcher)
    assert fetcher.asked == []


async def test_files_that_are_too_large_together_are_refused() -> None:
    fetcher = Pictures(size=media.MAX_BYTES // 3 + 1)
    call = call_with(*[Image(url=f"{CAT}?{n}") for n in range(3)])
    with pytest.raises(UnfetchableUrlError, match="together"):
        await inline(call, fetcher)


async def test_the_first_failure_ends_the_others() -> None:
    fetcher = Pictures()
    urls = ["https://pictures.test/missing", *(f"{CAT}?{n}" for n in range(19))]
    with pytest.raises(UnfetchableUrlError, match="missing"):
        await inline(call_with(*[Image(url=url) for url in urls]), fetcher)
    assert fetcher.at_once == 0
