"""Recorded upstream streams and the bytes that a client of the other dialect must get.

A new quirk is a new pair of files in the folder of its direction: ``NAME.sse`` as the upstream
sent it, ``NAME.expected.sse`` as the client must see it.
"""

import re
from collections.abc import Callable
from pathlib import Path

import anthropic.types
import msgspec
import pydantic
import pytest
from openai.types.chat import ChatCompletionChunk

from gateway.protocols import anthropic_messages, openai_chat, sse
from gateway.protocols.events import Event, Started

FOLDER = Path(__file__).parent
TO_ANTHROPIC = FOLDER / "openai_to_anthropic"
TO_OPENAI = FOLDER / "anthropic_to_openai"
RECORDINGS = [
    pytest.param(path, id=f"{folder.name}-{path.stem}")
    for folder in (TO_ANTHROPIC, TO_OPENAI)
    for path in sorted(folder.glob("*.sse"))
    if not path.stem.endswith(".expected")
]
PROMPT_TOKENS = 11
CREATED = 1_750_000_000
GENERATED = re.compile(rb'"(call|toolu)_[0-9a-f]{32}"')

Write = Callable[[Event], bytes]
Readers = openai_chat.Reader | anthropic_messages.Reader


def sides(path: Path) -> tuple[Readers, Write]:
    if path.parent == TO_ANTHROPIC:
        writer = anthropic_messages.Writer("asked", input_tokens=PROMPT_TOKENS)
        return openai_chat.Reader(), writer.write
    other = openai_chat.Writer("asked", include_usage=True, input_tokens=PROMPT_TOKENS)
    return anthropic_messages.Reader(), other.write


def convert(path: Path, size: int) -> bytes:
    """What the client gets; generated ids and the time are made the same."""
    stream = path.read_bytes()
    reader, write = sides(path)
    splitter = sse.Splitter()
    events: list[Event] = []
    for at in range(0, len(stream), size):
        for part in splitter.feed(stream[at : at + size]):
            events += reader.read(part)
    events += reader.read(splitter.rest()) + reader.end()
    events = [
        msgspec.structs.replace(event, created=CREATED) if isinstance(event, Started) else event
        for event in events
    ]
    return GENERATED.sub(rb'"\1_generated"', b"".join(map(write, events)))


@pytest.mark.parametrize("path", RECORDINGS)
def test_a_recorded_stream_becomes_the_bytes_that_the_client_must_get(path: Path) -> None:
    expected = path.with_name(f"{path.stem}.expected.sse").read_bytes()
    assert convert(path, 1 << 20) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("path", RECORDINGS)
def test_where_the_stream_is_cut_makes_no_difference(path: Path, size: int) -> None:
    assert convert(path, size) == convert(path, 1 << 20)


def events_of(stream: bytes) -> list[bytes]:
    return [event for event in sse.Splitter().feed(stream) if not sse.is_comment_only(event)]


_message_events: pydantic.TypeAdapter[anthropic.types.RawMessageStreamEvent] = pydantic.TypeAdapter(
    anthropic.types.RawMessageStreamEvent
)


@pytest.mark.parametrize(
    "path", [p for p in RECORDINGS if str(p.id).startswith("openai_to_anthropic")]
)
def test_every_event_is_one_that_the_anthropic_sdk_knows(path: Path) -> None:
    """And blocks come one after the other: each begun once, ended once, silent outside."""
    next_index, open_index = 0, None
    kinds = []
    for event in events_of(convert(path, 1 << 20)):
        data = sse.data_of(event)
        kind = msgspec.json.decode(data)["type"]
        assert (sse.name_of(event) or b"").decode() == kind
        kinds.append(kind)
        if kind in {"ping", "error"}:
            continue
        told = _message_events.validate_json(data, strict=True)
        match told:
            case anthropic.types.RawContentBlockStartEvent(index=index):
                assert (index, open_index) == (next_index, None)
                next_index, open_index = next_index + 1, index
            case anthropic.types.RawContentBlockDeltaEvent(index=index):
                assert index == open_index
            case anthropic.types.RawContentBlockStopEvent(index=index):
                assert index == open_index
                open_index = None
    if kinds[-1] != "error":
        assert kinds[:2] == ["message_start", "ping"]
        assert kinds[-2:] == ["message_delta", "message_stop"]
        assert open_index is None
    assert b"[DONE]" not in convert(path, 1 << 20)


@pytest.mark.parametrize(
    "path", [p for p in RECORDINGS if str(p.id).startswith("anthropic_to_openai")]
)
def test_every_chunk_is_one_that_the_openai_sdk_knows(path: Path) -> None:
    """And the id stays the same, one chunk finishes, and ``[DONE]`` ends what is complete."""
    datas = [sse.data_of(event) for event in events_of(convert(path, 1 << 20))]
    if b'"error"' in datas[-1]:
        assert b"[DONE]" not in datas
        return
    assert datas[-1] == b"[DONE]"
    chunks = [ChatCompletionChunk.model_validate_json(data, strict=True) for data in datas[:-1]]
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    finishes = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert [reason for reason in finishes if reason] == finishes[-1:]
