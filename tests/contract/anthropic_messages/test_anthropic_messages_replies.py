"""Recorded messages, what they must become, and how they leave again.

A new quirk of a server is a new pair of files: ``answers/NAME.json`` and
``answers/NAME.canonical.json``.
"""

import json
from pathlib import Path

import msgspec
import pytest

from gateway.errors import UpstreamError
from gateway.protocols import events, sse
from gateway.protocols.anthropic_messages import Reader, Writer, decode_answer

FOLDER = Path(__file__).parent / "answers"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if not path.stem.endswith(".canonical"))


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_answer_is_read(name: str) -> None:
    read = decode_answer((FOLDER / f"{name}.json").read_bytes())
    expected = json.loads((FOLDER / f"{name}.canonical.json").read_bytes())
    assert json.loads(msgspec.json.encode(read)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_answer_can_be_streamed_to_who_asked_for_a_stream(name: str) -> None:
    read = decode_answer((FOLDER / f"{name}.json").read_bytes())
    writer, reader = Writer("asked"), Reader()
    stream = b"".join(writer.write(event) for event in events.replay(read))
    again = [event for part in sse.Splitter().feed(stream) for event in reader.read(part)]
    finished = again[-1]
    assert isinstance(finished, events.Finished)
    assert (finished.finish, finished.stop_sequence) == (read.finish, read.stop_sequence)
    if read.usage is not None:
        assert [e.usage for e in again if isinstance(e, events.UsageReported)][-1] == read.usage


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b'{"type":"message"}',
        b'{"type":"error","error":{"type":"api_error","message":"No."}}',
        b'{"content":"a"}',
        b'{"content":[{"type":"text","text":5}]}',
        b'{"content":[{"type":"tool_use","name":"f","input":"\\ud800"}]}',
        b'{"choices":[{"message":{"content":"a"}}]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_success_without_an_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        decode_answer(body)
