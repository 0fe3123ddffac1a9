"""One attempt's way out and back between dialects: bodies, plain answers, answers as streams."""

import itertools
import json
from typing import Any

import pytest

from gateway.errors import UpstreamError
from gateway.protocols.canonical import Call, Message, Role, Text
from gateway.protocols.exchange import Wish
from gateway.protocols.traits import Traits
from tests.unit.protocols.two_dialects import DIALECTS, exchange_of, heard, request_of

PAIRS = list(itertools.product(DIALECTS, DIALECTS))
CROSSED = [("openai", "anthropic"), ("anthropic", "openai")]
QUIET = Wish("up", traits=Traits(thinking_passthrough=False))


def sent(client: str, upstream: str, wish: Wish, **fields: object) -> dict[str, Any]:
    body = request_of(client, **fields).exchange(upstream, "asked").body(wish)
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_request_is_sent_under_the_upstreams_name(client: str, upstream: str) -> None:
    found = sent(client, upstream, Wish("up"))
    assert (found["model"], found["max_tokens"], found["stream"]) == ("up", 99, True)
    assert found["messages"] in (
        [{"role": "user", "content": "Hi"}],
        [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    )
    assert found.get("stream_options") == (
        {"include_usage": True} if upstream == "openai" else None
    )


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize(("most", "expected"), [(None, 99), (200, 99), (7, 7)])
def test_the_limit_says_no_more_than_the_hold_pays(
    client: str, upstream: str, most: int | None, expected: int
) -> None:
    assert sent(client, upstream, Wish("up", max_output_tokens=most))["max_tokens"] == expected


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_parameters_of_the_model_yield_to_those_of_the_client(client: str, upstream: str) -> None:
    wish = Wish("up", {"temperature": 0.5, "top_p": 0.25, "max_tokens": 1})
    found = sent(client, upstream, wish, temperature=0.125)
    assert (found["temperature"], found["top_p"], found["max_tokens"]) == (0.125, 0.25, 99)


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_of_the_models_parameters_is_not_sent_beside_ours(
    client: str, upstream: str, name: str
) -> None:
    found = sent(client, upstream, Wish("up", {name: 77}, 50))
    limits = {key: value for key, value in found.items() if key.startswith("max_")}
    assert limits == {"max_tokens": 50}


@pytest.mark.parametrize(("client", "upstream"), CROSSED)
def test_fields_that_only_one_dialect_knows_stay_there(client: str, upstream: str) -> None:
    assert "logit_bias" not in sent(client, upstream, Wish("up"), logit_bias={"1": 2})
    assert "logit_bias" in sent(client, client, Wish("up"), logit_bias={"1": 2})


@pytest.mark.parametrize(("client", "upstream"), CROSSED)
def test_where_sampling_is_refused_none_is_sent(client: str, upstream: str) -> None:
    wish = Wish("up", traits=Traits(fixed_sampling=True))
    found = sent(client, upstream, wish, temperature=0.5, top_p=0.5)
    assert not {"temperature", "top_p"} & set(found)


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_request_that_was_changed_is_sent_as_changed(client: str, upstream: str) -> None:
    call = request_of(client).call()
    assert call is not None
    begun = (*call.messages, Message(Role.ASSISTANT, (Text("So"),)))
    changed = Call(model="asked", messages=begun, max_output_tokens=50, stream=True)
    found = sent(client, upstream, Wish("up", call=changed))
    assert found["messages"][-1]["role"] == "assistant"
    assert "So" in json.dumps(found["messages"][-1])
    assert (found["model"], found["max_tokens"]) == ("up", 50)


ANSWERS: dict[str, dict[str, Any]] = {
    "openai": {
        "id": "chatcmpl-1",
        "created": 7,
        "model": "up",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "reasoning_content": "Hm.",
                    "content": "So:",
                    "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": "{}"}}],
                },
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4},
    },
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "model": "up",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "signed"},
            {"type": "text", "text": "So:"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 9, "output_tokens": 4},
    },
}


def written(client: str, body: bytes) -> tuple[str, list[str]]:
    """The name and the kinds of what an answer holds."""
    found = json.loads(body)
    if client == "anthropic":
        return found["model"], [block["type"] for block in found["content"]]
    message = found["choices"][0]["message"]
    names = {"reasoning_content": "thinking", "content": "text", "tool_calls": "tool_use"}
    return found["model"], [kind for name, kind in names.items() if message.get(name)]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_plain_answer_says_the_same_in_every_dialect(client: str, upstream: str) -> None:
    read = exchange_of(client, upstream).read(json.dumps(ANSWERS[upstream]).encode())
    assert written(client, read.body) == ("asked", ["thinking", "text", "tool_use"])
    assert read.usage == [("input", "", 9), ("output", "", 4)]


@pytest.mark.parametrize(("client", "upstream"), CROSSED)
def test_thoughts_are_hidden_from_who_did_not_ask_for_them_but_counted(
    client: str, upstream: str
) -> None:
    exchange = exchange_of(client, upstream, QUIET)
    answer = {name: value for name, value in ANSWERS[upstream].items() if name != "usage"}
    shown = exchange.read(json.dumps(answer).encode())
    assert written(client, shown.body) == ("asked", ["text", "tool_use"])
    assert shown.usage is None
    told = exchange_of(client, upstream).read(json.dumps(answer).encode())
    assert shown.output_estimate == told.output_estimate > 0


@pytest.mark.parametrize(
    ("client", "fields"),
    [
        ("openai", {"reasoning_effort": "low"}),
        ("anthropic", {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}),
    ],
)
def test_who_asked_for_thoughts_gets_them(client: str, fields: dict[str, object]) -> None:
    upstream = dict(CROSSED)[client]
    exchange = exchange_of(client, upstream, QUIET, **fields)
    read = exchange.read(json.dumps(ANSWERS[upstream]).encode())
    assert written(client, read.body)[1] == ["thinking", "text", "tool_use"]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("wish", [Wish("up"), QUIET])
def test_a_plain_answer_becomes_the_stream_that_was_asked_for(
    client: str, upstream: str, wish: Wish
) -> None:
    exchange = exchange_of(client, upstream, wish)
    watcher, seen = exchange.replay(json.dumps(ANSWERS[upstream]).encode())
    found = heard(client, b"".join(one.event for one in seen))
    is_hidden = wish is QUIET and client != upstream
    assert (found.thoughts, found.text) == ("" if is_hidden else "Hm.", "So:")
    assert found.calls == [["f", "{}"]]
    assert watcher.usage == [("input", "", 9), ("output", "", 4)]
    assert [one.is_done for one in seen] == [False] * (len(seen) - 1) + [True]
    assert seen[0].is_content
    assert "".join(one.said for one in seen) == "So:"


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"error":{"message":"no"}}', b"[]"])
def test_what_is_no_answer_is_a_failure(client: str, upstream: str, body: bytes) -> None:
    exchange = exchange_of(client, upstream)
    with pytest.raises(UpstreamError):
        exchange.read(body)
    with pytest.raises(UpstreamError):
        exchange.replay(body)
