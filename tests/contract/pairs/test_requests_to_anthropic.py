"""OpenAI chat requests and what an upstream that speaks Anthropic must be sent for them."""

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequestError
from gateway.protocols.exchange import Wish
from gateway.protocols.openai_chat import passthrough
from gateway.protocols.traits import Traits

Json = dict[str, Any]

USER = {"role": "user", "content": "a"}
TURN = {"role": "user", "content": [{"type": "text", "text": "a"}]}
TOOL = {"type": "function", "function": {"name": "f"}}
DATA = {"url": "data:image/png;base64,aW1n", "detail": "low"}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def calls(*ids: str, arguments: str = '{"x":1}') -> Json:
    made = [
        {"id": i, "type": "function", "function": {"name": "f", "arguments": arguments}}
        for i in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": made}


def tool_use(id_: str) -> Json:
    return {"type": "tool_use", "id": id_, "name": "f", "input": {"x": 1}}


def answered(id_: str, content: object = "r") -> Json:
    return {"role": "tool", "tool_call_id": id_, "content": content}


def convert(traits: Traits | None = None, **fields: object) -> Json:
    body = json.dumps({"model": "m", "messages": [USER], **fields}).encode()
    wish = Wish("m", traits=traits or Traits())
    converted: Json = json.loads(passthrough.decode(body).exchange("anthropic", "m").body(wish))
    return converted


def turns(*messages: Json) -> list[Json]:
    converted: list[Json] = convert(messages=messages)["messages"]
    return converted


def refused(**fields: object) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        convert(None, **fields)
    return str(caught.value)


def test_every_field_that_has_a_counterpart_is_carried_over_and_no_other() -> None:
    assert convert(
        max_completion_tokens=9,
        temperature=0.5,
        top_p=0.9,
        stop=["END", " ", "\n"],
        user="u-1",
        stream=True,
        stream_options={"include_usage": True},
        seed=1,
        logprobs=True,
        logit_bias={"5": 1},
        presence_penalty=1,
        frequency_penalty=1,
        prediction={"type": "content", "content": "a"},
        store=True,
        modalities=["text"],
        service_tier="auto",
        response_format={"type": "text"},
    ) == {
        "model": "m",
        "max_tokens": 9,
        "messages": [TURN],
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
        "stream": True,
    }


def test_without_a_bound_the_usual_one_is_given() -> None:
    assert convert()["max_tokens"] == 4096
    assert convert(Traits(max_output_default=8000))["max_tokens"] == 8000


def test_a_temperature_is_capped_at_one_and_zero_is_kept() -> None:
    assert convert(temperature=1.7)["temperature"] == 1
    assert convert(temperature=0)["temperature"] == 0


def test_fixed_sampling_is_not_asked_to_change() -> None:
    converted = convert(Traits(fixed_sampling=True), temperature=0.5, top_p=0.9, top_k=3)
    assert {"temperature", "top_p", "top_k"}.isdisjoint(converted)


def test_the_system_is_hoisted_from_anywhere() -> None:
    converted = convert(
        messages=[
            {"role": "system", "content": "one"},
            USER,
            {"role": "developer", "content": [text("two"), text("three")]},
            {"role": "system", "content": ""},
        ]
    )
    assert converted["system"] == "one\ntwo\nthree"
    assert converted["messages"] == [TURN]


def test_a_conversation_of_the_system_alone_gets_a_turn_of_the_user() -> None:
    converted = convert(messages=[{"role": "system", "content": "one"}])
    assert [turn["role"] for turn in converted["messages"]] == ["user"]


def test_the_same_role_twice_is_one_turn() -> None:
    assistant = {"role": "assistant", "content": "b"}
    assert turns(USER, USER, assistant, assistant, USER) == [
        {"role": "user", "content": [text("a"), text("a")]},
        {"role": "assistant", "content": [text("b"), text("b")]},
        TURN,
    ]


def test_empty_text_is_dropped_and_leaves_no_turn() -> None:
    assert turns(
        USER,
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": " \n"},
        {"role": "user", "content": [text(""), text("c")]},
    ) == [
        TURN,
        {"role": "assistant", "content": [text("b")]},
        {"role": "user", "content": [text("c")]},
    ]


def test_the_assistant_never_comes_first() -> None:
    first, second = turns({"role": "assistant", "content": "b"}, USER)[:2]
    assert (first["role"], second["role"]) == ("user", "assistant")


def test_the_beginning_of_an_answer_ends_without_white_space() -> None:
    assert turns(USER, {"role": "assistant", "content": "b \n"})[-1]["content"] == [text("b")]
    assert turns(USER, {"role": "assistant", "content": " "}) == [TURN]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": DATA},
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "aW1n"},
            },
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:;base64,aW1n"}},
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": "aW1n"},
            },
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,aW1n"}},
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": "aW1n"},
            },
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://images.test/a"}},
            {"type": "image", "source": {"type": "url", "url": "https://images.test/a"}},
        ),
        (
            {
                "type": "file",
                "file": {"file_data": "data:application/pdf;base64,cGRm", "filename": "t.pdf"},
            },
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "cGRm"},
                "title": "t.pdf",
            },
        ),
        (
            {"type": "file", "file": {"file_data": "data:text/plain;base64,d8O2cmRz"}},
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "wörds"},
            },
        ),
        (
            {"type": "file", "file": {"file_id": "file_1"}},
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        ),
    ],
)
def test_what_a_user_shows_becomes_a_block(part: Json, block: Json) -> None:
    assert turns({"role": "user", "content": [text("see"), part]}) == [
        {"role": "user", "content": [text("see"), block]}
    ]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "c25k", "format": "wav"}},
        {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,aW1n"}},
        {"type": "file", "file": {"file_data": "data:application/zip;base64,emlw"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,?"}},
    ],
)
def test_what_the_vendor_does_not_take_is_refused(part: Json) -> None:
    assert refused(messages=[{"role": "user", "content": [part]}])


def test_tool_results_and_the_next_words_of_the_user_are_one_turn_results_first() -> None:
    assert turns(
        USER, calls("c0", "c1"), answered("c1"), answered("c0", [text("x"), text("y")]), USER
    )[1:] == [
        {"role": "assistant", "content": [tool_use("c0"), tool_use("c1")]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "r"},
                {"type": "tool_result", "tool_use_id": "c0", "content": [text("x"), text("y")]},
                text("a"),
            ],
        },
    ]


def test_results_come_first_though_the_system_speaks_between() -> None:
    said = turns(USER, calls("c0"), {"role": "system", "content": "s"}, answered("c0"), USER)
    assert [block["type"] for block in said[2]["content"]] == ["tool_result", "text"]


def test_text_before_calls_stays_before_them() -> None:
    said = turns(USER, {**calls("c0"), "content": "look"}, answered("c0"))
    assert said[1]["content"] == [text("look"), tool_use("c0")]


def test_a_call_without_arguments_has_an_empty_input() -> None:
    assert turns(USER, calls("c0", arguments=""))[1]["content"][0]["input"] == {}


@pytest.mark.parametrize("arguments", ["{", "[1]", "5", '"{}"', "null"])
def test_arguments_that_are_no_object_are_refused_by_name(arguments: str) -> None:
    assert "'c0'" in refused(messages=[USER, calls("c0", arguments=arguments)])


def test_tool_ids_are_made_fit_on_both_sides_alike_and_otherwise_kept() -> None:
    said = turns(
        USER,
        calls("functions.f:0", "call_1", "toolu_1"),
        answered("functions.f:0"),
        answered("call_1"),
        answered("toolu_1"),
    )
    expected = ["functions_f_0", "call_1", "toolu_1"]
    assert [block["id"] for block in said[1]["content"]] == expected
    assert [block["tool_use_id"] for block in said[2]["content"]] == expected


def test_functions_of_old_are_tools() -> None:
    converted = convert(
        functions=[{"name": "f"}],
        function_call={"name": "f"},
        messages=[
            USER,
            {"role": "assistant", "function_call": {"name": "f", "arguments": '{"x":1}'}},
            {"role": "function", "name": "f", "content": "r"},
        ],
    )
    assert converted["tool_choice"] == {"type": "tool", "name": "f"}
    assert converted["messages"][1]["content"] == [tool_use("call_function_1")]
    assert converted["messages"][2]["content"][0]["tool_use_id"] == "call_function_1"


def test_several_choices_are_refused() -> None:
    assert refused(n=2)


def test_tools_always_have_a_schema_of_an_object() -> None:
    tools = [
        TOOL,
        {
            "type": "function",
            "function": {
                "name": "g",
                "description": "d",
                "parameters": {"properties": {"x": {}}},
                "strict": True,
            },
        },
    ]
    assert convert(tools=tools)["tools"] == [
        {"name": "f", "input_schema": {"type": "object", "properties": {}}},
        {
            "name": "g",
            "description": "d",
            "input_schema": {"type": "object", "properties": {"x": {}}},
        },
    ]
    assert convert(Traits(structured_output=True), tools=tools)["tools"][1]["strict"] is True


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"type": "tool", "name": "f"},
        ),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"parallel_tool_calls": False, "tool_choice": "required"},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
    ],
)
def test_the_choice_of_a_tool(fields: Json, expected: Json | None) -> None:
    assert convert(tools=[TOOL], **fields).get("tool_choice") == expected


def test_a_choice_without_tools_is_left_out() -> None:
    assert "tool_choice" not in convert(tool_choice="auto", parallel_tool_calls=False)


SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}


def test_a_schema_is_asked_for_where_it_is_understood_and_in_words_elsewhere() -> None:
    converted = convert(Traits(structured_output=True), response_format=JSON_SCHEMA)
    assert converted["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert "system" not in converted
    messages = [{"role": "system", "content": "Be brief."}, USER]
    converted = convert(messages=messages, response_format=JSON_SCHEMA)
    assert "output_config" not in converted
    assert converted["system"].startswith("Be brief.\n")
    assert json.dumps(SCHEMA, separators=(",", ":")) in converted["system"]


def test_json_is_asked_for_in_words() -> None:
    traits = Traits(structured_output=True)
    assert "JSON" in convert(traits, response_format={"type": "json_object"})["system"]


@pytest.mark.parametrize(
    ("effort", "budget"), [("low", 2048), ("medium", 8192), ("high", 16384), ("xhigh", 16384)]
)
def test_effort_is_a_budget_and_the_answer_has_room_beside_it(effort: str, budget: int) -> None:
    converted = convert(reasoning_effort=effort, max_tokens=1000)
    assert converted["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert converted["max_tokens"] == budget + 1000
    assert convert(reasoning_effort=effort, max_tokens=30_000)["max_tokens"] == 30_000


@pytest.mark.parametrize("effort", ["none", "minimal"])
def test_no_effort_is_no_thinking(effort: str) -> None:
    converted = convert(reasoning_effort=effort, temperature=0.5)
    assert "thinking" not in converted
    assert converted["temperature"] == 0.5


def test_thinking_excludes_what_the_vendor_refuses_beside_it() -> None:
    converted = convert(
        reasoning_effort="low",
        temperature=0.5,
        top_k=3,
        top_p=0.9,
        tools=[TOOL],
        tool_choice="required",
    )
    assert {"temperature", "top_k", "top_p"}.isdisjoint(converted)
    assert converted["tool_choice"] == {"type": "auto"}
    assert convert(reasoning_effort="low", top_p=0.97)["top_p"] == 0.97


def test_a_server_that_thinks_as_it_likes_is_not_asked_to() -> None:
    assert "thinking" not in convert(Traits(thinking="fixed"), reasoning_effort="high")


def test_thinking_is_off_while_a_tool_that_was_called_without_thoughts_is_answered() -> None:
    answering = [USER, calls("c0"), answered("c0")]
    converted = convert(messages=answering, reasoning_effort="high", temperature=0.5)
    assert "thinking" not in converted
    assert converted["temperature"] == 0.5
    done = [*answering, {"role": "assistant", "content": "b"}, USER]
    assert "thinking" in convert(messages=done, reasoning_effort="high")


def test_thinking_is_off_for_an_answer_that_has_begun() -> None:
    begun = [USER, {"role": "assistant", "content": "Well"}]
    assert "thinking" not in convert(messages=begun, reasoning_effort="high")


def test_thoughts_without_a_signature_do_not_go_back() -> None:
    said = {"role": "assistant", "content": "b", "reasoning_content": "hm"}
    assert turns(USER, said, USER)[1]["content"] == [text("b")]
