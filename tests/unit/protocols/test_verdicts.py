"""What is an error and what is complete: the same for who relays and for who converts."""

import itertools
import json
from typing import Any

import pytest

from gateway.errors import UpstreamError
from gateway.protocols import (
    openai_completions,
    openai_embeddings,
    openai_moderations,
    sse,
)
from gateway.protocols.anthropic_messages import counting
from gateway.protocols.exchange import Exchange, Seen, Watcher
from gateway.protocols.problems import ReportedProblemError
from tests.unit.protocols.two_dialects import DIALECTS, exchange_of

PAIRS = list(itertools.product(DIALECTS, DIALECTS))
CHAT = {"messages": [{"role": "user", "content": "x"}]}


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return sse.frame(json.dumps({"id": "c", "choices": [choice]}).encode())


def told(type_: str, **fields: Any) -> bytes:  # noqa: ANN401
    return sse.frame(json.dumps({"type": type_, **fields}).encode(), type_)


DONE = b"data: [DONE]\n\n"
ROLE, HI = chunk({"role": "assistant", "content": ""}), chunk({"content": "hi"})
START = told("message_start", message={"id": "m", "usage": {"input_tokens": 3}})
TEXT = told("content_block_start", index=0, content_block={"type": "text", "text": ""})
WORD = told("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"})
REASON = told("message_delta", delta={"stop_reason": "end_turn"})
STOP = told("message_stop")


def last(client: str, upstream: str, *events: bytes) -> tuple[Watcher, Seen]:
    watcher = exchange_of(client, upstream).watch()
    return watcher, [watcher.see(event) for event in events][-1]


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize(
    ("upstream", "events", "is_complete"),
    [
        ("openai", [HI, chunk(finish="stop"), DONE], True),
        ("openai", [chunk(finish="stop"), DONE], True),
        ("openai", [HI, DONE], True),
        ("openai", [chunk({"content": "hi"}, finish=""), DONE], True),
        ("openai", [ROLE, DONE], False),
        ("openai", [DONE], False),
        ("openai", [ROLE, chunk(finish=""), DONE], False),
        ("anthropic", [START, TEXT, WORD, REASON, STOP], True),
        ("anthropic", [START, REASON, STOP], True),
        ("anthropic", [START, TEXT, WORD, STOP], False),
        ("anthropic", [START, told("message_delta", delta={"stop_reason": ""}), STOP], False),
        ("anthropic", [START, STOP], False),
        ("anthropic", [STOP], False),
    ],
)
def test_an_answer_is_complete_only_with_a_reason_or_with_words_and_an_end(
    client: str, upstream: str, events: list[bytes], *, is_complete: bool
) -> None:
    _, seen = last(client, upstream, *events)
    assert (seen.is_done, seen.is_interrupted) == (is_complete, not is_complete)
    assert is_complete or seen.problem is not None


def test_where_one_choice_has_a_reason_the_others_need_theirs() -> None:
    events = [HI, chunk({"content": "yo"}, index=1), chunk(finish="stop")]
    assert last("openai", "openai", *events, DONE)[1].is_interrupted
    assert last("openai", "openai", *events, chunk(finish="stop", index=1), DONE)[1].is_done


ERRORS = [
    b'{"error":{"message":"no"}}',
    b'{"error":"no"}',
    b'{"object":"error","message":"no","code":500}',
    b'{"code":1301,"msg":"no"}',
    b'{"message":"no"}',
    b'[{"error":{"message":"no"}}]',
    b'{"error":{"message":"no"},"id":[],"index":"odd","choices":"odd","delta":"odd"}',
    b'{"type":"error","error":{"type":"overloaded_error","message":"no"}}',
]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("data", ERRORS)
@pytest.mark.parametrize("begin", [[], ["begun"]])
def test_an_error_is_an_error_in_whatever_shape(
    client: str, upstream: str, data: bytes, begin: list[str]
) -> None:
    events = ([HI] if upstream == "openai" else [START, TEXT, WORD]) if begin else []
    _, seen = last(client, upstream, *events, sse.frame(data))
    assert seen.problem is not None
    assert seen.problem.message == "no"
    assert not seen.is_interrupted
    assert not seen.is_content


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"busy", "busy"),
        (b'"busy"', "busy"),
        (b'{"detail":"busy"}', "busy"),
        (b"{}", "The provider reported an error."),
    ],
)
def test_an_event_that_is_named_an_error_is_one(
    client: str, upstream: str, data: bytes, message: str
) -> None:
    _, seen = last(client, upstream, sse.frame(data, "error"))
    assert seen.problem is not None
    assert seen.problem.message == message


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize(
    "data", [b'{"choices":"sk-secret","delta":"sk-secret"}', b"sk-secret", b"[1]", b"{"]
)
def test_what_cannot_be_read_is_counted_and_is_no_content(
    client: str, upstream: str, data: bytes
) -> None:
    watcher, seen = last(client, upstream, sse.frame(data))
    assert (seen.is_garbage, seen.is_content, seen.text, watcher.garbage) == (True, False, "", 1)


@pytest.mark.parametrize(
    "event",
    [
        told("something_new", x=[1]),
        told("something_new", message={"id": "m"}),
        sse.frame(b'{"x":1}', "something_new"),
    ],
)
def test_types_of_events_that_are_merely_new_pass(event: bytes) -> None:
    watcher, seen = last("anthropic", "anthropic", event)
    assert (seen.event, seen.problem, watcher.garbage) == (event, None, 0)


def test_an_event_is_known_by_its_name_where_its_data_do_not_tell() -> None:
    events = [
        sse.frame(json.dumps(dict(list(json.loads(sse.data_of(one)).items())[1:])).encode(), name)
        for one in (START, TEXT, WORD, REASON, STOP)
        if (name := (sse.name_of(one) or b"").decode())
    ]
    for client in DIALECTS:
        watcher, seen = last(client, "anthropic", *events)
        assert (seen.is_done, watcher.finished) == (True, True)


def _plain(decode: Any, body: dict[str, Any]) -> Exchange:  # noqa: ANN401
    exchange: Exchange = decode(json.dumps({"model": "m", **body}).encode()).exchange("openai", "m")
    return exchange


def exchanges() -> list[Exchange]:
    return [
        *(exchange_of(client, upstream) for client, upstream in PAIRS),
        _plain(openai_completions.decode, {"prompt": "x"}),
        _plain(openai_embeddings.decode, {"input": "x"}),
        _plain(openai_moderations.decode, {"input": "x"}),
        _plain(counting.decode, CHAT),
    ]


@pytest.mark.parametrize("body", ERRORS)
@pytest.mark.parametrize("exchange", exchanges())
def test_a_success_that_holds_an_error_says_which(exchange: Exchange, body: bytes) -> None:
    with pytest.raises(ReportedProblemError) as caught:
        exchange.read(body)
    assert caught.value.problem.message == "no"


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b"[]", b'{"id":"x","message":{}}'])
@pytest.mark.parametrize("exchange", exchanges())
def test_a_success_that_holds_nonsense_is_just_a_failure(exchange: Exchange, body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        exchange.read(body)
    assert not isinstance(caught.value, ReportedProblemError)


def test_an_error_beside_an_answer_counts() -> None:
    answers: dict[str, dict[str, Any]] = {
        "openai": {"choices": [{"message": {"content": "x"}}]},
        "anthropic": {"type": "message", "content": []},
    }
    for client, upstream in PAIRS:
        body = {**answers[upstream], "error": {"message": "no"}}
        with pytest.raises(ReportedProblemError):
            exchange_of(client, upstream).read(json.dumps(body).encode())
