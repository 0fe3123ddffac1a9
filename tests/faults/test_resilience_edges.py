"""Where money, slots and fairness would leak if a failure came at an odd moment."""

import socket
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models import RequestRecord
from tests.faults.resilience import PATHS, Scene, Up, assert_sound
from tests.faults.scripted import Scripted, ScriptedUpstream
from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.stack.stack import model_of

NO_JSON: list[Any] = [
    {"role": "user", "content": "x"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "not json"}}
        ],
    },
    {"role": "tool", "tool_call_id": "c", "content": "r"},
]


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    environment = {"SLUICE_FETCH__ALLOWED_NETWORKS": '["127.0.0.0/8"]'}
    with stack_of_module(sqlite_template, environment=environment) as running:
        yield running
        assert_sound(running)


def last_record(stack: Stack, scene: Scene) -> RequestRecord:
    def found() -> list[RequestRecord]:
        stack.drain()
        return [record for record in stack.requests() if record.model == scene.name]

    stack.wait_for(lambda: bool(found()))
    return found()[-1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_fallback_without_a_price_for_its_output_costs_what_was_asked_for(
    stack: Stack, *, stream: bool
) -> None:
    scene = Scene(stack, Up("e503"), other=Up("n3"))
    cheap = {"prices": {"input": "1"}, "backends": [scene._link(1)]}
    stack.apply({"models": [model_of(scene.other_name, cheap)]})
    answer = scene.ask(stream=stream)
    books = scene.assert_charged(answer, 1)
    assert books.record.charge_nanos > 0
    stack.wait_for(lambda: stack.open_holds() == 0)


def test_who_leaves_while_his_picture_is_fetched_pays_nothing(stack: Stack) -> None:
    scene = Scene(stack, Up("n3", capabilities={"inline_media": True}))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/i.png"
        parts = [{"type": "image_url", "image_url": {"url": url}}]
        body = scene.body("openai", stream=False, messages=[{"role": "user", "content": parts}])
        with stack.http() as client, pytest.raises(httpx.TimeoutException):
            client.post(PATHS["openai"], json=body, timeout=0.5)
    record = last_record(stack, scene)
    assert (record.status, record.error_code, record.charge_nanos) == (
        "cancelled",
        "client_left",
        0,
    )
    assert scene.counts() == [0]


def test_a_stream_that_no_other_upstream_can_be_asked_for_ends_in_an_error(stack: Stack) -> None:
    scene = Scene(stack, Up("n9-d15-k6"), Up("n9", "anthropic"))
    answer = scene.ask(stream=True, messages=NO_JSON)
    assert answer.status == 200
    assert b"upstream_interrupted" in answer.raw
    assert b"[DONE]" not in answer.raw
    record = scene.books(answer).record
    assert (record.status, record.error_code) == ("interrupted", "upstream_interrupted")


def test_odd_heads_of_a_stream_do_not_keep_others_from_going_on_with_it(stack: Stack) -> None:
    head = (
        b'data: {"id":"x","created":1750000000.25,"choices":[{"index":0,'
        b'"delta":{"role":"assistant","content":" tok00000"}}]}\n\n'
    )
    with ScriptedUpstream(Scripted(head)) as cut:
        scene = Scene(
            stack,
            Up("n3", base_url=cut.url),
            Up("n9", capabilities={"prefix": "message"}),
        )
        answer = scene.ask(stream=True)
    assert answer.raw.count(b" tok0000") > 3
    assert answer.raw.endswith(b"data: [DONE]\n\n")
    assert scene.books(answer).record.status == "succeeded"


def test_what_one_protocol_cannot_say_another_backend_is_asked(stack: Stack) -> None:
    scene = Scene(stack, Up("n3", "anthropic"), Up("n3"))
    answer = scene.ask(n=2)
    assert answer.status == 200
    assert scene.counts() == [0, 1]
    alone = Scene(stack, Up("n3", "anthropic"))
    assert alone.ask(n=2).status == 400


def test_what_cannot_be_fetched_here_another_backend_may_fetch_itself(stack: Stack) -> None:
    scene = Scene(stack, Up("n3", capabilities={"inline_media": True}), Up("n3"))
    parts = [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/i.png"}}]
    answer = scene.ask(messages=[{"role": "user", "content": parts}])
    assert (answer.status, scene.counts()) == (200, [0, 1])


def test_the_only_slot_of_a_backend_is_our_own_when_we_try_again(stack: Stack) -> None:
    scene = Scene(stack, Up("n3-e500x1"))
    backend = {"slug": scene.slugs[0], "max_concurrency": 1}
    stack.apply({"providers": [{"code": scene.slugs[0], "backends": [backend]}]})
    answer = scene.ask()
    assert (answer.status, scene.counts()) == (200, [2])
    with stack.redis.client() as redis:
        stack.wait_for(lambda: not redis.hlen("sluice:1:slots"))


def test_counting_tokens_waits_for_nobody_and_takes_nobodys_probe(stack: Stack) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}]}
    slow = Scene(stack, Up("h9000", "anthropic"))
    ill = Scene(stack, Up("n3-e500x5"))
    for _ in range(4):
        ill.ask()
    with stack.http() as client:
        started = time.monotonic()
        counted = client.post("/v1/messages/count_tokens", json={"model": slow.name, **body})
        assert counted.json()["input_tokens"] > 0
        assert time.monotonic() - started < 5
        time.sleep(5.2)  # the breaker is half open: the next call is the one probe
        path = "/v1/messages/count_tokens"
        assert client.post(path, json={"model": ill.name, **body}).status_code == 200
    assert ill.ask().status == 200


def test_a_rule_that_wants_to_read_what_we_cannot_does_not_apply(stack: Stack) -> None:
    rule = {"rule": "length", "at_least": 10**6, "model": "chat"}
    scene = Scene(stack, Up("n3", "anthropic"), forward=rule)
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    assert scene.ask("anthropic", tools=tools).status == 200


def test_an_error_behind_a_good_status_means_what_it_says(stack: Stack) -> None:
    """One caller's forbidden questions must not shut the backend for all."""
    said = b'{"error":{"message":"Content Exists Risk","code":"content_filter"}}'
    with ScriptedUpstream(Scripted(said, "application/json")) as up:
        scene = Scene(stack, Up("n3", base_url=up.url))
        for _ in range(7):
            answer = scene.ask()
            assert (answer.status, answer.error().code) == (400, "content_filter")
        assert len(up.bodies) == 7


def test_a_policy_that_insists_on_its_region_is_obeyed(stack: Stack) -> None:
    scene = Scene(stack, Up("n3"))
    backend = {"slug": scene.slugs[0], "region": "us"}
    stack.apply({"providers": [{"code": scene.slugs[0], "backends": [backend]}]})
    region = {"x-gateway-region": "us"}
    body = scene.body("openai", stream=False)
    with stack.http() as client:
        try:
            stack.apply({"policies": [{"name": "default", "region": "eu", "region_strict": True}]})
            stack.wait_for(lambda: client.post(PATHS["openai"], json=body).status_code == 503)
            assert client.post(PATHS["openai"], json=body, headers=region).status_code == 503
        finally:
            stack.apply({"policies": [{"name": "default", "region": None, "region_strict": False}]})
        stack.wait_for(lambda: client.post(PATHS["openai"], json=body).status_code == 200)


def test_a_fallback_is_not_asked_for_more_than_it_can_write(stack: Stack) -> None:
    scene = Scene(stack, Up("e503"), other=Up("n3"))
    small = {"max_output_tokens": 50, "backends": [scene._link(1)]}
    stack.apply({"models": [model_of(scene.other_name, small)]})
    assert scene.ask(max_tokens=4000).status == 200
    (asked,) = scene.asked(1)
    assert asked["body"]["max_tokens"] == 50


def test_an_answer_is_bounded_below_the_thoughts_that_were_asked_for(stack: Stack) -> None:
    scene = Scene(stack, Up("n3", "anthropic"))
    thinking = {"type": "enabled", "budget_tokens": 1024}
    try:
        stack.apply({"policies": [{"name": "default", "max_output_tokens": 1000}]})
        assert scene.ask("anthropic", thinking=thinking).status == 200
    finally:
        stack.apply({"policies": [{"name": "default", "max_output_tokens": None}]})
    (asked,) = scene.asked(0)
    assert (asked["body"]["max_tokens"], "thinking" in asked["body"]) == (1000, False)
