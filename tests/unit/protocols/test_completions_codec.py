"""Legacy completions pass as they came; what they may cost is read from them."""

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequestError, UpstreamError
from gateway.protocols import openai_completions, sse
from gateway.protocols.exchange import Seen, Watcher, Wish
from gateway.protocols.openai_completions import CompletionsRequest

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def decoded(**fields: Any) -> CompletionsRequest:  # noqa: ANN401
    body = {"model": "m", "prompt": "abcde", **fields}
    return openai_completions.decode(json.dumps(body).encode())


def chunk(text: str = "", index: int = 0, finish: str | None = None, **fields: Any) -> bytes:  # noqa: ANN401
    choice = {"text": text, "index": index, "logprobs": None, "finish_reason": finish}
    body = {"id": "c", "object": "text_completion", "model": "up", "choices": [choice], **fields}
    return sse.frame(json.dumps(body).encode())


def watcher(**fields: Any) -> Watcher:  # noqa: ANN401
    return decoded(stream=True, **fields).exchange("openai", "m").watch()


def contents(events: list[Seen]) -> list[Any]:
    datas = [sse.data_of(seen.event) for seen in events]
    return [json.loads(data) if data != b"[DONE]" else "done" for data in datas]


@pytest.mark.parametrize(
    ("prompt", "tokens", "choices"),
    [
        ("", 0, 1),
        ("abcde", 2, 1),
        (["abcd", "你好"], 4, 2),
        ([1, 22, 333], 3, 1),
        ([[1, 2], [3]], 3, 2),
    ],
)
def test_text_is_estimated_and_numbers_are_tokens(
    prompt: object, tokens: int, choices: int
) -> None:
    request = decoded(prompt=prompt)
    assert (request.model, request.prompt_tokens, request.choices) == ("m", tokens, choices)


def test_what_follows_the_gap_is_part_of_the_prompt() -> None:
    assert decoded(suffix="abcd").prompt_tokens == 3


@pytest.mark.parametrize(
    ("fields", "choices"),
    [
        ({"n": 3}, 3),
        ({"best_of": 4}, 4),
        ({"n": 2, "best_of": 4}, 4),
        ({"n": 2, "prompt": ["a", "b", "c"]}, 6),
    ],
)
def test_all_choices_that_are_written_are_paid_for(fields: dict[str, Any], choices: int) -> None:
    assert decoded(**fields).choices == choices


@pytest.mark.parametrize(
    ("fields", "limit"), [({}, 16), ({"max_tokens": None}, 16), ({"max_tokens": 0}, 0)]
)
def test_without_a_limit_the_vendors_own_one_counts(fields: dict[str, Any], limit: int) -> None:
    assert decoded(**fields).max_output_tokens == limit


def test_unknown_fields_pass_and_parameters_fill_what_is_missing() -> None:
    request = decoded(new={"a": 1}, temperature=0)
    body = json.loads(request.body(Wish("up", {"temperature": 1, "seed": 7})))
    expected = {"model": "up", "prompt": "abcde", "new": {"a": 1}, "temperature": 0, "seed": 7}
    assert body == expected


@pytest.mark.parametrize(
    ("given", "most", "sent"),
    [({}, 16, 16), ({"max_tokens": 100}, 40, 40), ({"max_tokens": 10}, 40, 10)],
)
def test_the_limit_that_is_paid_for_is_said(given: dict[str, Any], most: int, sent: int) -> None:
    wish = Wish("up", {"max_tokens": 5000}, max_output_tokens=most)
    assert json.loads(decoded(**given).body(wish))["max_tokens"] == sent


def test_a_stream_is_asked_for_its_usage() -> None:
    request = decoded(stream=True, stream_options={"extra": 1})
    assert not request.include_usage
    options = json.loads(request.body(Wish("up")))["stream_options"]
    assert options == {"extra": 1, "include_usage": True}
    assert decoded(stream=True, stream_options={"include_usage": True}).include_usage


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [{}]}, "prompt[0]"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"best_of": 0}, "best_of"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 2**31}, "max_tokens"),
        ({"stream": True, "best_of": 2}, "best_of"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decoded(**fields)
    assert caught.value.param == param


def test_only_one_protocol_has_it() -> None:
    request = decoded()
    assert request.speaks("openai")
    assert not request.speaks("anthropic")
    assert request.call() is None


def test_an_answer_comes_under_the_name_that_was_asked_for() -> None:
    body = b'{"model":"up","choices":[{"text":"hello"}],"usage":{"prompt_tokens":5}}'
    read = decoded().exchange("openai", "m").read(body)
    assert read.body == body.replace(b'"up"', b'"m"')
    assert read.usage == [("input", "", 5), ("output", "", 0)]


def test_an_answer_without_usage_is_estimated() -> None:
    read = decoded().exchange("openai", "m").read(b'{"choices":[{"text":"abcd"},{"text":"e"}]}')
    assert (read.usage, read.output_estimate) == (None, 2)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{}", b'{"choices":[]}', b'{"choices":[{"message":{"content":"x"}}]}'],
)
def test_a_success_without_text_is_none(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        decoded().exchange("openai", "m").read(body)


def test_a_stream_is_heard_and_renamed() -> None:
    watching = watcher()
    seen = [
        watching.see(chunk("Hello ")),
        watching.see(chunk("you")),
        watching.see(chunk(finish="stop")),
        watching.see(chunk(choices=[], usage=USAGE)),
        watching.see(b"data: [DONE]\n\n"),
    ]
    assert "".join(event.text for event in seen) == "Hello you"
    assert [event.is_content for event in seen] == [True, True, False, False, False]
    assert [event.is_finish for event in seen] == [False, False, True, False, False]
    assert [event.is_usage_only for event in seen] == [False, False, False, True, False]
    assert seen[-1].is_done
    assert {content["model"] for content in contents(seen)[:-1]} == {"m"}
    assert watching.usage == [("input", "", 3), ("output", "", 4)]
    assert watching.finished


def test_a_stream_that_ends_before_all_choices_are_complete_has_broken_off() -> None:
    watching = watcher(prompt=["a", "b"])
    watching.see(chunk("x", finish="stop"))
    assert not watching.finished
    assert watching.end().is_interrupted
    watching.see(chunk("y", index=1, finish="length"))
    assert watching.end().is_done


def test_nobody_else_can_go_on_with_a_stream() -> None:
    watching = watcher()
    watching.see(chunk("Hello"))
    assert watching.position() is None


def test_an_error_in_a_stream_is_a_problem() -> None:
    problem = watcher().see(b'data: {"error":{"message":"Out of memory."}}\n\n').problem
    assert problem is not None
    assert problem.message == "Out of memory."


def test_an_upstream_that_does_not_stream_is_replayed() -> None:
    choices = [{"text": "abc", "index": 0, "finish_reason": "stop"}]
    body = json.dumps({"id": "c", "model": "up", "choices": choices, "usage": USAGE}).encode()
    watching, events = decoded(stream=True).exchange("openai", "m").replay(body)
    said, used, done = contents(events)
    assert said == {"id": "c", "model": "m", "choices": choices}
    assert used == {"id": "c", "model": "m", "choices": [], "usage": USAGE}
    assert done == "done"
    assert [event.is_usage_only for event in events] == [False, True, False]
    assert watching.usage == [("input", "", 3), ("output", "", 4)]


def test_what_is_no_answer_is_not_replayed() -> None:
    with pytest.raises(UpstreamError):
        decoded(stream=True).exchange("openai", "m").replay(b'{"error":{"message":"no"}}')
