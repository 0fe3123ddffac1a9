"""The official ``openai`` package: every failure is the SDK's own exception, and costs nothing."""

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from models import RequestRecord
from tests.stack import Stack
from tests.stack.books import wait_for_settled
from tests.stack.isolated import add_isolated_models
from tests.stack.of_module import stack_of_module

MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
INPUT_NANOS, OUTPUT_NANOS = 1_000, 10_000  # one token at the prices of the stack
SAID = "".join(f" tok{index:05d}" for index in range(10))
# upstream model, exception, status, code
FAILURES: dict[str, tuple[str, type[openai.APIStatusError], int, str | None]] = {
    "limited": ("sim-chat-e429-ra7", openai.RateLimitError, 429, "upstream_rate_limited"),
    "refusing": ("sim-chat-policy", openai.BadRequestError, 400, "content_filter"),
    "too-long": ("sim-chat-ctx", openai.BadRequestError, 400, "context_length_exceeded"),
    "invalid": ("sim-chat-e422", openai.BadRequestError, 400, "upstream_rejected"),
    "broken": ("sim-chat-e500", openai.InternalServerError, 502, "upstream_error"),
    "busy": ("sim-chat-e503", openai.InternalServerError, 502, "upstream_error"),
    "overloaded": ("sim-chat-e529", openai.InternalServerError, 502, "upstream_error"),
    "moved": ("sim-chat-e302", openai.InternalServerError, 502, "upstream_error"),
    "locked": ("sim-chat-e401", openai.InternalServerError, 502, "upstream_error"),
    "forbidden": ("sim-chat-e403", openai.InternalServerError, 502, "upstream_error"),
    "unknown-there": ("sim-chat-e404", openai.InternalServerError, 502, "upstream_error"),
    "out-of-money": ("sim-chat-quota", openai.InternalServerError, 502, "upstream_error"),
    "gone": ("sim-chat-refuse", openai.InternalServerError, 502, "upstream_error"),
    "garbled": ("sim-chat-badjson", openai.InternalServerError, 502, "upstream_error"),
    "page": ("sim-chat-html", openai.InternalServerError, 502, "upstream_error"),
    "empty": ("sim-chat-empty", openai.InternalServerError, 502, "upstream_error"),
    "cut-at-once": ("sim-chat-k0", openai.InternalServerError, 502, "upstream_interrupted"),
}
# What may have been an accident is tried once more where nobody else could answer.
ONCE_MORE = {
    *("broken", "busy", "overloaded", "gone", "garbled", "page", "empty", "cut-at-once"),
}
NO_STREAMS = {"page"}  # no event comes, so there is no answer
SILENT_STREAMS = {
    "says-nothing": "sim-chat-c1",
    "fails-at-once": "sim-chat-err1",
    "ends-at-once": "sim-chat-midfinish1",
}
BROKEN_STREAMS = {
    "reset": "sim-chat-n10-k5",
    "closed": "sim-chat-n10-c5",
    "failed": "sim-chat-n10-err5",
    "unfinished": "sim-chat-n10-midfinish5",
}


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        upstreams = {name: failure[0] for name, failure in FAILURES.items()}
        upstreams |= {"whole": "sim-chat-n10-jsonstream"}
        add_isolated_models(running, upstreams | BROKEN_STREAMS | SILENT_STREAMS)
        yield running


@pytest.fixture
def client(stack: Stack) -> Generator[openai.OpenAI]:
    with stack.openai() as opened:
        yield opened


def record_of(stack: Stack, error: openai.APIStatusError) -> RequestRecord:
    """The record of a failed call, which has the request's id as the client chose none."""
    assert error.request_id is not None
    record, entry = wait_for_settled(stack, error.request_id)
    assert (entry.kind, entry.amount_nanos) == ("release", 0)
    return record


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", FAILURES)
def test_a_failed_upstream_is_the_sdks_own_exception_and_costs_nothing(
    stack: Stack, client: openai.OpenAI, model: str, *, stream: bool
) -> None:
    upstream, kind, status, code = FAILURES[model]
    # What one call did to the health of a backend must not decide the other.
    name = f"{model}-{stream}"
    add_isolated_models(stack, {name: upstream})
    with pytest.raises(kind) as failed:
        client.chat.completions.create(model=name, messages=MESSAGES, stream=stream)
    error = failed.value
    if stream and model in NO_STREAMS:
        code = "upstream_interrupted"
    assert (error.status_code, error.code) == (status, code)
    assert error.type is not None
    for secret in ("sk-", "http", "org-demo", "openai.com", "127.0.0.1"):
        assert secret not in str(error)
    record = record_of(stack, error)
    assert (record.status, record.http_status) == ("failed", status)
    attempts = 2 if model in ONCE_MORE else 1
    assert (record.charge_nanos, record.error_code, record.attempts) == (0, code, attempts)


def test_the_vendors_words_reach_the_caller_cleaned(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as failed:
        client.chat.completions.create(model="too-long", messages=MESSAGES)
    assert "maximum context length is 8192 tokens" in str(failed.value)
    assert failed.value.param == "messages"
    with pytest.raises(openai.BadRequestError) as failed:
        client.chat.completions.create(model="refusing", messages=MESSAGES)
    assert "content management policy" in str(failed.value)


def test_the_vendors_retry_after_reaches_the_caller(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as failed:
        client.chat.completions.create(model="limited", messages=MESSAGES)
    assert failed.value.response.headers["retry-after"] == "7"


def test_a_whole_answer_to_a_stream_becomes_the_events_that_were_asked_for(
    stack: Stack, client: openai.OpenAI
) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="whole",
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(raw.parse())
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == SAID
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    record, _ = wait_for_settled(stack, raw.headers["x-sluice-request"])
    assert (record.status, record.basis) == ("succeeded", "reported")
    assert record.output_tokens == chunks[-1].usage.completion_tokens


@pytest.mark.parametrize("model", SILENT_STREAMS)
def test_a_stream_that_breaks_before_its_first_word_costs_nothing(
    stack: Stack, client: openai.OpenAI, model: str
) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=MESSAGES, stream=True
    )
    with pytest.raises(openai.APIError):
        listen(raw.parse(), [])
    record, entry = wait_for_settled(stack, raw.headers["x-sluice-request"])
    assert (record.status, record.charge_nanos, entry.kind) == ("interrupted", 0, "release")


@pytest.mark.parametrize("model", BROKEN_STREAMS)
def test_a_stream_that_breaks_half_way_ends_in_an_error_and_never_in_done(
    stack: Stack, client: openai.OpenAI, model: str
) -> None:
    with client.chat.completions.with_streaming_response.create(
        model=model, messages=MESSAGES, stream=True
    ) as response:
        reference = response.headers["x-sluice-request"]
        words: list[str] = []
        with pytest.raises(openai.APIError) as broken:
            listen(response.parse(), words)
    assert broken.value.code == "upstream_interrupted"
    assert broken.value.type == "server_error"
    said = "".join(words)
    assert said == SAID[: 4 * len(" tok00000")]
    with stack.http() as http:
        body = {"model": model, "messages": MESSAGES, "stream": True}
        sent = http.post("/v1/chat/completions", json=body).text
    assert "[DONE]" not in sent
    assert sent.rstrip().splitlines()[-1].startswith('data: {"error":')
    assert_interrupted(stack, reference, said)


def listen(chunks: Iterable[ChatCompletionChunk], words: list[str]) -> None:
    for chunk in chunks:
        words.append(chunk.choices[0].delta.content or "")
        assert chunk.choices[0].finish_reason is None


def assert_interrupted(stack: Stack, reference: str, said: str) -> None:
    """What was delivered is charged by the estimator, as when a client leaves."""

    record, _ = wait_for_settled(stack, reference)
    assert (record.status, record.error_code) == ("interrupted", "upstream_interrupted")
    prompt = '[{"role":"user","content":"hello"}]'
    expected = -(-len(prompt) // 4) * INPUT_NANOS + -(-len(said) // 4) * OUTPUT_NANOS
    assert (record.basis, record.charge_nanos) == ("estimated", expected)


@pytest.mark.parametrize("ill", ["sim-chat-e500", "sim-chat-html", *SILENT_STREAMS.values()])
def test_another_backend_answers_instead(stack: Stack, client: openai.OpenAI, ill: str) -> None:
    names = [f"{ill}-{kind}" for kind in ("ill", "well")]
    add_isolated_models(stack, dict.fromkeys(names, "unused"))
    links = [
        {"backend": names[0], "upstream_model": ill, "weight": 1_000_000},
        {"backend": names[1], "upstream_model": "sim-chat-n3", "weight": 1},
    ]
    stack.add_model(f"{ill}-both", backends=links)
    raw = client.chat.completions.with_raw_response.create(
        model=f"{ill}-both", messages=MESSAGES, stream=True
    )
    # A 500 is worth a second try at the same backend.
    attempts = 3 if ill in {"sim-chat-e500", "sim-chat-err1"} else 2
    assert raw.headers["x-sluice-attempts"] == str(attempts)
    words = [chunk.choices[0].delta.content or "" for chunk in raw.parse()]
    assert "".join(words) == SAID[: 3 * len(" tok00000")]
    record, _ = wait_for_settled(stack, raw.headers["x-sluice-request"])
    assert (record.status, record.attempts) == ("succeeded", attempts)


def ask(client: openai.OpenAI, model: str = "chat", **options: Any) -> Any:  # noqa: ANN401
    options = {"messages": MESSAGES, **options}
    return client.chat.completions.create(model=model, **options)


def test_after_all_these_failures_the_books_agree(stack: Stack, client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError):
        ask(client, "broken")
    stack.wait_for(lambda: stack.open_holds() == 0)
    stack.drain()
    assert stack.differences() == []
