"""Usage with cached tokens: upstream, answer, record and charge say the same, and nothing twice."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models import RequestRecord
from tests.integration.sdk_models import (
    HELLO,
    assert_charged,
    both,
    open_anthropic,
    sent,
    stack_of_pairs,
    whole_or_streamed,
)
from tests.stack import Stack

UPSTREAMS = {
    "read": "sim-chat-p100-ca60-u7",
    "written": "sim-chat-p100-ca60-cw10-u7",
    "thinker": "sim-chat-p50-reasoning",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What an SDK says was used, in parts that do not overlap."""

    reference: str
    fresh: int
    cached: int
    written: int
    output: int
    thoughts: int


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_pairs(sqlite_template, UPSTREAMS) as running:
        yield running


def ask_with_openai(stack: Stack, model: str, *, stream: bool) -> Seen:
    options: Any = {"stream_options": {"include_usage": True}} if stream else {}
    with stack.openai() as client:
        raw = client.chat.completions.with_raw_response.create(
            model=model, messages=HELLO, stream=stream, **options
        )
        answer: Any = raw.parse()
        reports = [chunk.usage for chunk in answer if chunk.usage] if stream else [answer.usage]
    (usage,) = reports
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    cached, written = prompt.cached_tokens, prompt.cache_write_tokens or 0
    return Seen(
        raw.headers["x-sluice-request"],
        usage.prompt_tokens - cached - written,
        cached,
        written,
        usage.completion_tokens,
        completion.reasoning_tokens,
    )


def ask_with_anthropic(stack: Stack, model: str, *, stream: bool) -> Seen:
    asked: Any = {"model": model, "max_tokens": 4000, "messages": HELLO}
    with open_anthropic(stack) as client:
        if stream:
            with client.messages.stream(**asked) as events:
                usage = events.get_final_message().usage
                reference = events.response.headers["x-sluice-request"]
        else:
            raw = client.messages.with_raw_response.create(**asked)
            usage, reference = raw.parse().usage, raw.headers["x-sluice-request"]
    details = usage.output_tokens_details
    return Seen(
        reference,
        usage.input_tokens,
        usage.cache_read_input_tokens or 0,
        usage.cache_creation_input_tokens or 0,
        usage.output_tokens,
        (details.thinking_tokens or 0) if details else 0,
    )


SDKS = {"openai": ask_with_openai, "anthropic": ask_with_anthropic}


@whole_or_streamed
@pytest.mark.parametrize("name", ["read", "written"])
@pytest.mark.parametrize("sdk", SDKS)
@both
def test_cached_tokens_are_never_counted_twice(
    stack: Stack, protocol: str, sdk: str, name: str, *, stream: bool
) -> None:
    seen = SDKS[sdk](stack, f"{protocol}-{name}", stream=stream)
    # Only one of the protocols can say that tokens were written to a cache.
    written = 10 if (protocol, name) == ("anthropic", "written") else 0
    assert (seen.fresh, seen.cached, seen.written) == (40 - written, 60, written)
    assert seen.output == 7
    assert_like_upstream(stack, seen)
    record = assert_charged(
        stack, seen.reference, input=seen.fresh, cached=60, written=written, output=7
    )
    assert_like_record(record, seen)


@whole_or_streamed
@pytest.mark.parametrize("sdk", SDKS)
@both
def test_thoughts_are_counted_once_as_output(
    stack: Stack, protocol: str, sdk: str, *, stream: bool
) -> None:
    seen = SDKS[sdk](stack, f"{protocol}-thinker", stream=stream)
    assert seen.fresh == 50
    assert seen.thoughts == (8 if protocol == "openai" else 0)
    assert_like_upstream(stack, seen)
    record = assert_charged(stack, seen.reference, input=50, output=seen.output)
    assert_like_record(record, seen)


def assert_like_upstream(stack: Stack, seen: Seen) -> None:
    stack.simulator.wait_idle()
    usage = sent(stack)["usage"]
    assert seen.fresh + seen.cached + seen.written == usage["prompt_tokens"]
    assert seen.output == usage["completion_tokens"]


def assert_like_record(record: RequestRecord, seen: Seen) -> None:
    assert record.input_tokens == seen.fresh + seen.cached + seen.written
    assert (record.cached_tokens, record.cache_write_tokens) == (seen.cached, seen.written)
    assert (record.output_tokens, record.reasoning_tokens) == (seen.output, seen.thoughts)
