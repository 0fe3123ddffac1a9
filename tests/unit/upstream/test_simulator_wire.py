"""Bytes of streams, bodies of answers and the journal, without a network."""

import json
import math
from typing import Any

import pytest

from tests.upstream import openai_chat, openai_embeddings, sse
from tests.upstream.faults import NO_FAULT, Fault, parse_spec
from tests.upstream.journal import Journal
from tests.upstream.reply import Call, Event, Kind
from tests.upstream.routes import NO_ROUTE, find_route
from tests.upstream.world import Rule, World

ERROR = Event(Kind.ERROR, b"{}")
EVENTS = [
    Event(Kind.ROLE, b"1"),
    Event(Kind.CONTENT, b"2", "", 1),
    Event(Kind.FINISH, b"3"),
    Event(Kind.USAGE, b"4"),
    Event(Kind.DONE, b"[DONE]"),
]


@pytest.mark.parametrize(
    ("spec", "data"),
    [
        ("n1", "1 2 3 4 [DONE]"),
        ("nodone", "1 2 3 4"),
        ("midfinish", "1 2"),
        ("midfinish1", "1"),
        ("err1", "1 {}"),
        ("err0", "{}"),
    ],
)
def test_plan(spec: str, data: str) -> None:
    planned = sse.plan(EVENTS, parse_spec(spec), ERROR)
    assert [event.data.decode() for event in planned] == data.split()


def test_garbage_is_an_extra_event_at_its_place() -> None:
    planned = list(sse.plan(EVENTS, parse_spec("j2"), ERROR))
    assert planned[1].kind is Kind.GARBAGE
    assert [*planned[:1], *planned[2:]] == EVENTS
    with pytest.raises(json.JSONDecodeError):
        json.loads(planned[1].data)


@pytest.mark.parametrize(
    ("spec", "wire"),
    [
        ("n1", b"data: 1\n\n"),
        ("crlf", b"data: 1\r\n\r\n"),
        ("comment", b": keep-alive\n\ndata: 1\n\n"),
    ],
)
def test_frame(spec: str, wire: bytes) -> None:
    assert sse.frame(EVENTS[0], parse_spec(spec)) == wire


def test_named_frame() -> None:
    event = Event(Kind.CONTENT, b"1", "ping")
    assert sse.frame(event, NO_FAULT) == b"event: ping\ndata: 1\n\n"


def test_fragments_lose_nothing() -> None:
    data = bytes(range(100))
    parts = list(sse.fragments(data))
    assert b"".join(parts) == data
    assert [len(part) for part in parts[:5]] == [1, 2, 3, 5, 7]


def chat(fault: Fault = NO_FAULT, **body: Any) -> Call:  # noqa: ANN401
    given = {"model": "m", "messages": [{"role": "user", "content": "hello"}], **body}
    return Call(7, "m", given, fault)


def test_chat_stream_bytes() -> None:
    reply = openai_chat.answer(chat(parse_spec("n1"), stream=True))
    events = list(reply.events or ())
    assert [event.kind for event in events] == ["role", "content", "finish", "done"]
    assert events[1].data == (
        b'{"id":"chatcmpl-sim000000000007","object":"chat.completion.chunk","created":1750000000,'
        b'"model":"m","service_tier":"default","system_fingerprint":"fp_sluicedemo1","choices":'
        b'[{"index":0,"delta":{"content":" tok00000"},"logprobs":null,"finish_reason":null}]}'
    )
    assert events[3].data == b"[DONE]"


def test_usage_is_null_until_the_usage_event() -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    events = list(openai_chat.answer(chat(parse_spec("n2"), **options)).events or ())
    decoded = [json.loads(event.data) for event in events[:-1]]
    assert [chunk["usage"] for chunk in decoded[:-1]] == [None] * 4
    assert decoded[-1]["choices"] == []
    assert decoded[-1]["usage"]["completion_tokens"] == 2
    silent = list(openai_chat.answer(chat(parse_spec("nousage"), **options)).events or ())
    assert not any(b"usage" in event.data for event in silent)


def test_whole_answer_and_stream_say_the_same() -> None:
    whole = json.loads(openai_chat.answer(chat(n=2)).body)
    events = list(openai_chat.answer(chat(n=2, stream=True)).events or ())
    chunks = [json.loads(event.data)["choices"][0] for event in events[:-1]]
    for choice in whole["choices"]:
        mine = [chunk for chunk in chunks if chunk["index"] == choice["index"]]
        said = "".join(chunk["delta"].get("content", "") for chunk in mine)
        assert said == choice["message"]["content"]
        assert mine[-1]["finish_reason"] == choice["finish_reason"] == "stop"


def test_reported_tokens_can_be_set() -> None:
    usage = openai_chat.answer(chat(parse_spec("u5-p6-ca3"))).usage or {}
    assert (usage["completion_tokens"], usage["prompt_tokens"], usage["total_tokens"]) == (5, 6, 11)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 3


def test_vectors_are_deterministic_units() -> None:
    numbers = openai_embeddings.vector("hello", 64)
    assert math.isclose(sum(number * number for number in numbers), 1, rel_tol=1e-5)
    assert numbers == openai_embeddings.vector("hello", 64)
    assert numbers != openai_embeddings.vector("hello!", 64)


@pytest.mark.parametrize(
    ("method", "path", "model"),
    [
        ("POST", "/v1/chat/completions", ""),
        ("POST", "/any/prefix/v1/chat/completions", ""),
        ("POST", "/chat/completions", ""),
        ("POST", "/openai/deployments/demo-k2/chat/completions", "demo-k2"),
        ("GET", "/v1/models/demo-chat", "demo-chat"),
        ("POST", "/v1/embeddings", ""),
    ],
)
def test_routes(method: str, path: str, model: str) -> None:
    route, named = find_route(method, path)
    assert route is not NO_ROUTE
    assert named == model


def test_unknown_route() -> None:
    assert find_route("GET", "/v1/chat/completions")[0] is NO_ROUTE


def test_journal_drops_the_oldest_but_not_its_counters() -> None:
    journal = Journal(limit=2)
    for _ in range(3):
        entry = journal.begin("POST", "/", {"A": "1"})
        journal.admit(entry, "m")
        entry.usage, entry.completed = {"prompt_tokens": 2, "completion_tokens": 3}, True
        journal.finish(entry)
    assert [entry["seq"] for entry in journal.list_entries(0, 10, None)] == [2, 3]
    assert [entry["seq"] for entry in journal.list_entries(2, 10, None)] == [3]
    counters = journal.summary()["models"]["m"]
    assert (counters["requests"], counters["completed"], counters["in_flight"]) == (3, 3, 0)
    assert counters["completion_tokens_completed"] == 9


def test_requests_under_way_do_not_count_after_a_clear() -> None:
    journal = Journal()
    entry = journal.begin("POST", "/", {})
    journal.admit(entry, "m")
    journal.clear()
    journal.finish(entry)
    assert journal.summary()["total"]["in_flight"] == 0


def test_journal_bounds_bodies() -> None:
    journal = Journal(body_bytes=4)
    entry = journal.begin("POST", "/", {})
    journal.keep_body(entry, b'{"a":1}', {"a": 1})
    assert (entry.body, entry.body_truncated) == ('{"a"', True)


def test_limited_rule_is_used_up_and_the_newest_wins() -> None:
    world = World()
    world.add_rule(Rule(1, "demo-*", parse_spec("e500")))
    world.add_rule(Rule(2, "*", parse_spec("e429"), times=1, key="sk-1"))
    asked = [world.find_fault("demo-x", "/v1/a", key).status for key in ("sk-2", "sk-1", "sk-1")]
    assert asked == [500, 429, 500]


def test_first_requests_to_a_model_fail() -> None:
    world = World()
    statuses = [world.find_fault("demo-e503x2", "/", None).status for _ in range(4)]
    assert statuses == [503, 503, None, None]
