"""Plain calls to upstreams that misbehave: what the caller, the providers and the books see."""

import json
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from tests.faults.resilience import (
    DIALECTS,
    FORMS,
    PAIRS,
    QUICK_SECONDS,
    Scene,
    Up,
    assert_sound,
    pair,
)
from tests.faults.scripted import Scripted, ScriptedUpstream
from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.stack.processes import free_port

# What the first upstream does, how often it is asked, and what the attempts are called.
FAILURES = [
    ("e500", 2, "upstream_error"),
    ("e502", 2, "upstream_error"),
    ("e504", 2, "upstream_error"),
    ("e503", 1, "upstream_error"),
    ("e529", 1, "upstream_error"),
    ("refuse", 1, "upstream_error"),
    ("hang", 1, "upstream_timeout"),
    ("h5000", 1, "upstream_timeout"),
    ("k0", 1, "upstream_interrupted"),
    ("c0", 1, "upstream_interrupted"),
    ("q0", 1, "upstream_timeout"),
    ("badjson", 1, "upstream_error"),
    ("html", 1, "upstream_error"),
    ("empty", 1, "upstream_error"),
]


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        yield running
        assert_sound(running)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("faults", "times", "outcome"), FAILURES)
def test_what_fails_is_answered_by_the_next(
    stack: Stack, faults: str, times: int, outcome: str, form: str
) -> None:
    scene = pair(stack, form, Up(f"n5-{faults}"), Up("n7"))
    answer = scene.ask()
    books = scene.assert_served(answer, 1, [times, 1])
    assert books.outcomes == [outcome] * times + ["ok"]
    assert answer.seconds < 3 * QUICK_SECONDS
    bodies = [entry["body"] for place in (0, 1) for entry in scene.asked(place)]
    assert len({json.dumps({**body, "model": ""}) for body in bodies}) == 1


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
@pytest.mark.parametrize("faults", ["e503", "e529", "refuse", "badjson"])
def test_every_dialect_is_answered_by_every_protocol(
    stack: Stack, faults: str, dialect: str, protocol: str
) -> None:
    scene = pair(stack, "model", Up(f"n5-{faults}", protocol), Up("n7", protocol))
    scene.assert_served(scene.ask(dialect), 1, [1, 1])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_backend_of_another_protocol_takes_over(stack: Stack, dialect: str) -> None:
    first, second = ("openai", "anthropic") if dialect == "openai" else ("anthropic", "openai")
    scene = pair(stack, "backend", Up("n5-e503", first), Up("n7", second))
    scene.assert_served(scene.ask(dialect), 1, [1, 1])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [500, 502, 504])
def test_one_server_error_is_tried_again_at_the_same_place(
    stack: Stack, status: int, form: str
) -> None:
    scene = pair(stack, form, Up(f"n5-e{status}x1"), Up("n7"))
    answer = scene.ask()
    books = scene.assert_served(answer, 0, [2, 0])
    assert [attempt.http_status for attempt in books.attempts] == [status, 200]
    assert answer.seconds < QUICK_SECONDS


@pytest.mark.parametrize("form", FORMS)
def test_where_nobody_listens_the_next_is_asked(stack: Stack, form: str) -> None:
    nowhere = Up("n5", base_url=f"http://127.0.0.1:{free_port()}/v1")
    scene = pair(stack, form, nowhere, Up("n7"))
    answer = scene.ask()
    assert answer.told().text == scene.text(1)
    assert scene.counts() == [0, 1]
    assert scene.assert_charged(answer, 1).outcomes == ["upstream_error", "ok"]


@pytest.mark.parametrize("faults", ["refusex1", "k0x1", "badjsonx1"])
def test_with_nobody_else_a_broken_connection_is_tried_once_more(stack: Stack, faults: str) -> None:
    scene = Scene(stack, Up(f"n5-{faults}"))
    scene.assert_served(scene.ask(), 0, [2])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("faults", "times", "status"), [("e503", 1, 502), ("e529", 1, 502), ("e500", 2, 502)]
)
def test_when_all_fail_the_caller_learns_neutrally(
    stack: Stack, faults: str, times: int, status: int, form: str, dialect: str
) -> None:
    scene = pair(stack, form, Up(f"n5-{faults}"), Up("n7-e503"))
    answer = scene.ask(dialect)
    books = scene.assert_free(answer, status, "upstream_error")
    # The last one may have been a moment's overload, and nobody is left to ask instead.
    last = 3 - times
    assert scene.counts() == [times, last]
    assert books.outcomes == ["upstream_error"] * (times + last)
    assert "overloaded" not in answer.error().message


def test_two_silent_backends_cost_no_more_than_their_limits(stack: Stack) -> None:
    limits = {"first_byte_seconds": 0.4, "total_seconds": 0.8}
    scene = pair(stack, "backend", Up("n5-hang"), Up("n7-hang"), limits=limits)
    answer = scene.ask()
    scene.assert_free(answer, 504, "upstream_timeout")
    assert scene.counts() == [1, 1]
    assert 1.1 < answer.seconds < 1.8


def test_another_key_of_a_silent_backend_is_not_asked(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-hang", keys=2), Up("n7"))
    scene.assert_served(scene.ask(), 1, [1, 1])


def test_alone_a_slow_backend_has_all_the_time_of_the_call(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-t1500", keys=2))
    scene.assert_served(scene.ask(), 0, [1])


@pytest.mark.parametrize("form", FORMS)
def test_too_long_a_prompt_is_not_sent_again(stack: Stack, form: str) -> None:
    scene = pair(stack, form, Up("n5-ctx"), Up("n7"))
    answer = scene.ask()
    scene.assert_free(answer, 400, "context_length_exceeded")
    assert "maximum context length is 8192 tokens" in answer.error().message
    assert scene.counts() == [1, 0]


@pytest.mark.parametrize("stream", [False, True])
def test_too_long_a_prompt_goes_to_the_model_for_long_ones(stack: Stack, *, stream: bool) -> None:
    larger = Scene(stack, Up("n9"))
    fallback = {"larger_context": larger.name}
    scene = Scene(stack, Up("n5-ctx"), Up("n6"), other=Up("n7"), fallback=fallback)
    answer = scene.ask(stream=stream)
    assert answer.told().text == larger.text(0)
    assert answer.headers["x-sluice-model"] == answer.told().model == larger.name
    assert (scene.counts(), larger.counts()) == ([1, 0, 0], [1])
    assert scene.books(answer).outcomes == ["context_length_exceeded", "ok"]


def test_the_model_for_long_prompts_is_for_nothing_else(stack: Stack) -> None:
    larger = Scene(stack, Up("n9"))
    scene = Scene(stack, Up("n5-e503"), fallback={"larger_context": larger.name})
    scene.assert_free(scene.ask(), 502, "upstream_error")
    assert larger.counts() == [0]


def test_a_fallback_model_with_more_room_takes_too_long_a_prompt(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-ctx"), Up("n6"), other=Up("n7"), context_window=8192)
    stack.apply({"models": [{"slug": scene.other_name, "context_window": 100_000}]})
    scene.assert_served(scene.ask(), 2, [1, 0, 1])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("form", FORMS)
def test_refused_content_is_the_callers_to_know(stack: Stack, form: str, dialect: str) -> None:
    scene = pair(stack, form, Up("n5-policy"), Up("n7"))
    answer = scene.ask(dialect)
    books = scene.assert_free(answer, 400, "content_filter")
    assert "content management policy" in answer.error().message
    assert scene.counts() == [1, 0]
    assert books.outcomes == ["content_filter"]


def test_refused_content_is_tried_elsewhere_if_the_operator_says_so(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-policy"), other=Up("n7"), fallback={"on_content_policy": True})
    scene.assert_served(scene.ask(), 1, [1, 1])


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_the_caller_did_wrong_says_nothing_of_the_backend(stack: Stack, status: int) -> None:
    scene = pair(stack, "backend", Up(f"n5-e{status}x6"), Up("n7"))
    for _ in range(6):
        scene.assert_free(scene.ask(), 400, "upstream_rejected")
    answer = scene.ask()
    assert answer.told().text == scene.text(0)
    assert scene.counts() == [7, 0]


def say_who_we_are(headers: Mapping[str, str]) -> Scripted:
    """A refusal that tells the key, the name and the address of who refuses."""
    key, host = headers["authorization"].removeprefix("Bearer "), headers["host"]
    said = f"top_k is unknown to {key.split('-')[1]} with {key} at http://{host}/v1 ({host})"
    body = {"error": {"message": said, "type": "invalid_request_error"}}
    return Scripted(json.dumps(body).encode(), "application/json", 422)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_vendors_message_tells_nothing_of_our_side(stack: Stack, dialect: str) -> None:
    with ScriptedUpstream(say_who_we_are) as upstream:
        scene = pair(stack, "backend", Up("n5", base_url=f"{upstream.url}/v1"), Up("n7"))
        answer = scene.ask(dialect)
    scene.assert_free(answer, 400, "upstream_rejected")
    message = answer.error().message
    assert message.startswith("top_k is unknown to ")
    private = (scene.slugs[0], scene.secret(0), upstream.url.removeprefix("http://"))
    assert [word for word in private if word in message or word in str(answer.headers)] == []
    assert scene.counts() == [0, 0]
