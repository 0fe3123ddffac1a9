"""What Anthropic refuses, one wrong request after the other."""

import json
from typing import Any

import pytest

from tests.upstream import anthropic_messages
from tests.upstream.anthropic_shapes import sign
from tests.upstream.faults import NO_FAULT, Fault, parse_spec
from tests.upstream.reply import Call

VERSION = {"anthropic-version": "2023-06-01"}
HELLO = {"role": "user", "content": "hello"}
USE = {"type": "tool_use", "id": "t1", "name": "a", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}
TEXT = {"type": "text", "text": "x"}
TOOLS = [{"name": "a", "input_schema": {"type": "object"}}]
THINKING = {"type": "enabled", "budget_tokens": 1024}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def ask(
    body: dict[str, Any], fault: Fault = NO_FAULT, headers: dict[str, str] = VERSION
) -> tuple[int, Any]:
    given = {"model": "m", "max_tokens": 2048, "messages": [HELLO], **body}
    given = {name: value for name, value in given.items() if value is not ...}
    reply = anthropic_messages.answer(Call(7, "m", given, fault, headers=headers))
    return reply.status, json.loads(reply.body)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("max_tokens: Field required", {"max_tokens": ...}),
    ("max_tokens: Expected", {"max_tokens": 0}),
    ("messages: Field required", {"messages": ...}),
    ("at least one message", {"messages": []}),
    ('must use the "user" role', {"messages": [assistant(TEXT), HELLO]}),
    ('Unexpected role "system"', {"messages": [{"role": "system", "content": "x"}, HELLO]}),
    ('Unexpected role "tool"', {"messages": [HELLO, {"role": "tool", "content": "x"}]}),
    ("non-empty", {"messages": [{"role": "user", "content": ""}]}),
    ("non-empty", {"messages": [user()]}),
    ("text content blocks must be non-empty", {"messages": [user({"type": "text", "text": ""})]}),
    ("non-whitespace", {"messages": [user({"type": "text", "text": " \n"})]}),
    ("system: text content", {"system": [{"type": "text", "text": ""}]}),
    ("messages.0.content.0.type", {"messages": [user({"type": "image_url"})]}),
    ("messages.0.content.0.type", {"messages": [user(USE)]}),
    ("messages.1.content.0.type", {"messages": [HELLO, assistant(RESULT)]}),
    ("contains unknown field `name`", {"messages": [{**HELLO, "name": "bob"}]}),
    ("contains unknown field `id`", {"messages": [user({**TEXT, "id": "1"})]}),
    ("without `tool_result`", {"messages": [HELLO, assistant(USE), HELLO]}),
    ("without `tool_result`", {"messages": [HELLO, assistant(USE)]}),
    ("unexpected `tool_use_id`", {"messages": [user(RESULT)]}),
    ("unexpected `tool_use_id`", {"messages": [HELLO, assistant(TEXT), user(RESULT)]}),
    ("must come first", {"messages": [HELLO, assistant(USE), user(TEXT, RESULT)]}),
    ("must come first", {"messages": [HELLO, assistant(USE), HELLO, user(RESULT)]}),
    ("single result", {"messages": [HELLO, assistant(USE), user(RESULT, RESULT)]}),
    ("must be unique", {"messages": [HELLO, assistant(USE, USE), user(RESULT)]}),
    ("input", {"messages": [HELLO, assistant({**USE, "input": "{}"}), user(RESULT)]}),
    ("trailing whitespace", {"messages": [HELLO, {"role": "assistant", "content": "so "}]}),
    ("temperature", {"temperature": 1.1}),
    ("stop_sequences", {"stop_sequences": [" "]}),
    ("stream_options: Extra inputs", {"stream_options": {"include_usage": True}}),
    ("tool_choice.type", {"tools": TOOLS, "tool_choice": {"type": "tool_use", "name": "a"}}),
    ("tool_choice", {"tools": TOOLS, "tool_choice": "auto"}),
    ("tool_choice.name: Field required", {"tools": TOOLS, "tool_choice": {"type": "tool"}}),
    ("not found in provided", {"tools": TOOLS, "tool_choice": {"type": "tool", "name": "b"}}),
    ("only be specified while", {"tool_choice": {"type": "any"}}),
    ("unique", {"tools": TOOLS * 2}),
    ("tools.0.type", {"tools": [{"type": "function", "function": {"name": "a"}}]}),
    ("tools.0.input_schema: Field required", {"tools": [{"name": "a"}]}),
    ("thinking.budget_tokens", {"thinking": {"type": "enabled", "budget_tokens": 1023}}),
    ("must be greater", {"thinking": THINKING, "max_tokens": 1024}),
    ("only be set to 1", {"thinking": THINKING, "temperature": 0.5}),
    ("`top_k` must be unset", {"thinking": THINKING, "top_k": 5}),
    ("forces", {"thinking": THINKING, "tools": TOOLS, "tool_choice": {"type": "any"}}),
]


@pytest.mark.parametrize(("words", "body"), REFUSED)
def test_refused(words: str, body: dict[str, Any]) -> None:
    status, answer = ask(body)
    assert (status, answer["type"]) == (400, "error")
    assert answer["error"]["type"] == "invalid_request_error"
    assert words in answer["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [HELLO, HELLO]},
        {"messages": [HELLO, assistant(TEXT), assistant(USE), user(RESULT), HELLO]},
        {"messages": [HELLO, assistant(USE), user(RESULT, TEXT)]},
        {"messages": [HELLO, {"role": "assistant", "content": ""}]},
        {"system": "", "temperature": 0, "top_k": 0, "metadata": {"user_id": "u"}},
        {"thinking": {"type": "disabled"}, "temperature": 0.3},
        {"thinking": THINKING, "temperature": 1},
        {"thinking": {"type": "adaptive"}},
        {"tools": TOOLS, "tool_choice": {"type": "none"}},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"never_heard_of": 1},
    ],
)
def test_accepted(body: dict[str, Any]) -> None:
    assert ask(body)[0] == 200


def test_the_version_is_required() -> None:
    status, answer = ask({}, headers={})
    assert status == 400
    assert "anthropic-version" in answer["error"]["message"]


def test_counting_needs_no_limit() -> None:
    given = {"model": "m", "messages": [HELLO]}
    reply = anthropic_messages.count(Call(7, "m", given, NO_FAULT, headers=VERSION))
    assert json.loads(reply.body) == {"input_tokens": 4 + 2}


def test_a_prefix_can_be_refused() -> None:
    prefixed = {"messages": [HELLO, assistant(TEXT)]}
    assert ask(prefixed, parse_spec("noprefix"))[0] == 400
    assert ask({}, parse_spec("noprefix"))[0] == 200


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ((), 400),
        (({"type": "thinking", "thinking": "hm", "signature": "forged"},), 400),
        (({"type": "thinking", "thinking": "hm", "signature": sign("hm")},), 200),
    ],
)
def test_calls_come_back_with_their_signed_thought(
    first: tuple[dict[str, Any], ...], status: int
) -> None:
    body = {"thinking": THINKING, "messages": [HELLO, assistant(*first, USE), user(RESULT)]}
    assert ask(body, parse_spec("sigcheck"))[0] == status
    assert ask(body)[0] == 200
    assert ask({**body, "thinking": {"type": "disabled"}}, parse_spec("sigcheck"))[0] == 200
