"""Canonical calls as Anthropic requests: what no chat request of the other dialect can hold."""

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequestError
from gateway.protocols.anthropic_messages import decode_request, encode_request
from gateway.protocols.canonical import (
    Audio,
    Call,
    Document,
    Image,
    Item,
    Message,
    Reasoning,
    Refusal,
    Role,
    Sampling,
    Text,
    Thinking,
    ThinkingMode,
    ToolCall,
    ToolResult,
)
from gateway.protocols.traits import Traits

Json = dict[str, Any]

USER = Message(Role.USER, (Text("a"),))
SIGNED = Reasoning("hm", "vendor")
CALL = ToolCall("t1", "f", "{}")
ANSWERED = Message(Role.TOOL, (ToolResult("t1", (Text("r"),)),))
THINKING = Thinking(ThinkingMode.ENABLED, "low")

THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "vendor"}
REDACTED = {"type": "redacted_thinking", "data": "b3BhcXVl"}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}


def said(*items: Item) -> Message:
    return Message(Role.ASSISTANT, items)


def encode(
    *messages: Message, thinking: Thinking | None = None, traits: Traits | None = None
) -> Json:
    call = Call(model="m", messages=messages, thinking=thinking, sampling=Sampling(temperature=0.5))
    encoded: Json = json.loads(encode_request(call, traits or Traits()))
    return encoded


def test_signed_thoughts_come_first_in_their_turn_in_their_order() -> None:
    spoken = said(Text("b"), SIGNED, CALL, Reasoning(redacted="b3BhcXVl"), Reasoning("unsigned"))
    encoded = encode(USER, spoken, ANSWERED, thinking=THINKING)
    assert encoded["messages"][1]["content"] == [
        THOUGHT,
        REDACTED,
        {"type": "text", "text": "b"},
        USE,
    ]


def test_thinking_goes_on_after_a_call_that_was_thought_about() -> None:
    assert "thinking" in encode(USER, said(SIGNED, CALL), ANSWERED, thinking=THINKING)
    redacted = said(Reasoning(redacted="b3BhcXVl"), CALL)
    assert "thinking" in encode(USER, redacted, ANSWERED, thinking=THINKING)
    unsigned = encode(USER, said(Reasoning("hm"), CALL), ANSWERED, thinking=THINKING)
    assert "thinking" not in unsigned
    assert unsigned["temperature"] == 0.5


def test_without_thinking_the_last_turn_of_the_assistant_may_hold_no_thoughts() -> None:
    spoken = (USER, said(SIGNED, Text("b")), USER, said(SIGNED, CALL), ANSWERED)
    _, first, _, last, _ = encode(*spoken)["messages"]
    assert THOUGHT in first["content"]
    assert last["content"] == [USE]
    always = encode(*spoken, traits=Traits(thinking="fixed"))
    assert THOUGHT in always["messages"][3]["content"]


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        (
            Thinking(budget_tokens=5000, effort="low"),
            {"type": "enabled", "budget_tokens": 5000},
        ),
        (Thinking(budget_tokens=10), {"type": "enabled", "budget_tokens": 1024}),
        (Thinking(), {"type": "enabled", "budget_tokens": 8192}),
        (Thinking(ThinkingMode.ADAPTIVE), {"type": "adaptive"}),
        (Thinking(ThinkingMode.DISABLED), None),
        (Thinking(effort="none"), None),
        (None, None),
    ],
)
def test_how_much_to_think(thinking: Thinking | None, expected: Json | None) -> None:
    assert encode(USER, thinking=thinking).get("thinking") == expected


def test_the_effort_of_adaptive_thinking_is_kept() -> None:
    encoded = encode(USER, thinking=Thinking(ThinkingMode.ADAPTIVE, "max"))
    assert encoded["output_config"] == {"effort": "max"}


def test_a_refusal_is_text() -> None:
    turn = encode(USER, said(Refusal("no")), USER)["messages"][1]
    assert turn["content"] == [{"type": "text", "text": "no"}]


def test_a_tool_result_keeps_its_images_and_that_it_failed() -> None:
    content = (Text("r"), Text(" "), Image(url="https://images.test/a"), Document(text="w"))
    results = Message(Role.TOOL, (ToolResult("t1", content, is_error=True), ToolResult("t1")))
    assert encode(USER, said(CALL), results)["messages"][2]["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "t1",
            "content": [
                {"type": "text", "text": "r"},
                {"type": "image", "source": {"type": "url", "url": "https://images.test/a"}},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "w"},
                },
            ],
            "is_error": True,
        },
        {"type": "tool_result", "tool_use_id": "t1", "content": []},
    ]


def test_a_document_by_address_stays_one() -> None:
    document = Document(url="https://files.test/a.pdf", name="t")
    block = encode(Message(Role.USER, (document,)))["messages"][0]["content"][0]
    assert block == {
        "type": "document",
        "source": {"type": "url", "url": "https://files.test/a.pdf"},
        "title": "t",
    }


def test_sound_is_refused_wherever_it_is() -> None:
    for message in (Message(Role.USER, (Audio("c25k", "wav"),)), said(Audio(id="audio_1"))):
        with pytest.raises(InvalidRequestError):
            encode(message)


def test_a_request_of_this_dialect_comes_out_as_it_went_in() -> None:
    given = {
        "model": "m",
        "max_tokens": 5000,
        "system": "s",
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "document",
                        "source": {
                            "type": "base64",
                            "media_type": "application/pdf",
                            "data": "cGRm",
                        },
                    },
                    {"type": "text", "text": "a"},
                ],
            },
            {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "b"}, USE]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": "r",
                        "is_error": True,
                    }
                ],
            },
        ],
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object", "x": 1}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u"},
        "stream": True,
    }
    call = decode_request(json.dumps(given).encode())
    assert json.loads(encode_request(call, Traits(structured_output=True))) == given
