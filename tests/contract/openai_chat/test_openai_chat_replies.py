"""Recorded chat answers, what they must become, and how they leave again.

A new quirk of a server is a new pair of files: ``answers/NAME.json`` and
``answers/NAME.canonical.json``.
"""

import json
from pathlib import Path

import msgspec
import pytest

from gateway.errors import UpstreamError
from gateway.protocols import events
from gateway.protocols.openai_chat import Reader, Writer, answer

FOLDER = Path(__file__).parent / "answers"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if not path.stem.endswith(".canonical"))


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_answer_is_read(name: str) -> None:
    body = (FOLDER / f"{name}.json").read_bytes()
    read = json.loads(msgspec.json.encode(answer.decode(body)))
    for item in read["items"]:
        if str(item.get("id")).startswith("call_"):
            item["id"] = "call_generated"
    assert read == json.loads((FOLDER / f"{name}.canonical.json").read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_answer_can_be_streamed_to_who_asked_for_a_stream(name: str) -> None:
    read = answer.decode((FOLDER / f"{name}.json").read_bytes())
    writer, reader = Writer("asked", include_usage=True), Reader()
    chunks = [writer.write(event) for event in events.replay(read)]
    assert chunks[-1].endswith(b"data: [DONE]\n\n")
    again = [event for chunk in b"".join(chunks).split(b"\n\n") for event in reader.read(chunk)]
    assert isinstance(again[-1], events.Finished)
    usages = [event.usage for event in again if isinstance(event, events.UsageReported)]
    assert len(usages) == 1  # an estimate where the vendor did not count
    assert read.usage in (None, usages[0])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b'{"choices":[]}',
        b'{"choices":[{}]}',
        b'{"choices":[{"index":1,"message":{"content":"other"}}]}',
        b'{"error":{"message":"No."},"choices":[{"message":{"content":"a"}}]}',
        b'{"choices":[{"message":{"content":5}}]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_success_without_an_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        answer.decode(body)
