"""A stream that has nothing to say for a while says so, and nobody's SDK minds."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.stack.stack import KEY

MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]
SLOW = "sim-chat-n3-d900"


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    environment = {"SLUICE_API__STREAM_PING_SECONDS": "0.3"}
    with stack_of_module(sqlite_template, environment=environment) as running:
        running.add_model("slow", upstream=SLOW)
        yield running


def test_comments_fill_the_silence_of_an_openai_stream(stack: Stack) -> None:
    with stack.http() as client:
        body = {"model": "slow", "messages": MESSAGES, "stream": True}
        text = client.post("/v1/chat/completions", json=body).text
    events = text.split("\n\n")
    assert events.count(": keep-alive") >= 2
    assert all(event.startswith(("data: ", ":")) for event in events if event)
    with stack.openai() as sdk:
        stream = sdk.chat.completions.create(model="slow", messages=MESSAGES, stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert said == " tok00000 tok00001 tok00002"


def test_pings_fill_the_silence_of_an_anthropic_stream(stack: Stack) -> None:
    with stack.http() as client:
        body = {"model": "slow", "messages": MESSAGES, "stream": True, "max_tokens": 50}
        text = client.post("/v1/messages", json=body).text
    assert text.count('event: ping\ndata: {"type":"ping"}\n\n') >= 3
    with (
        anthropic.Anthropic(api_key=KEY, base_url=stack.url, max_retries=0) as sdk,
        sdk.messages.stream(model="slow", max_tokens=50, messages=MESSAGES) as stream,
    ):
        assert stream.get_final_text() == " tok00000 tok00001 tok00002"


def test_a_quick_stream_needs_none(stack: Stack) -> None:
    with stack.http() as client:
        body = {"model": "chat", "messages": MESSAGES, "stream": True}
        assert ": keep-alive" not in client.post("/v1/chat/completions", json=body).text
