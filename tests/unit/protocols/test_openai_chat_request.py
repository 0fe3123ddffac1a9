"""Chat requests: what is read is what was meant, what is wrong is named."""

import json
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequestError
from gateway.protocols.canonical import (
    Audio,
    Call,
    Document,
    FormatKind,
    Image,
    Message,
    Reasoning,
    Refusal,
    ResponseFormat,
    Role,
    Sampling,
    Text,
    Thinking,
    ThinkingMode,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
from gateway.protocols.openai_chat import encoding
from gateway.protocols.openai_chat.request import decode
from gateway.protocols.traits import Traits

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)
WORD = st.text(alphabet="abcXYZ_-09", min_size=1, max_size=8)
NUMBER = st.floats(-2, 2, allow_nan=False)
JSON_OBJECT = st.dictionaries(
    WORD,
    st.recursive(TEXT | st.integers(-9, 9) | st.booleans(), st.lists, max_leaves=3),
    max_size=3,
)
BASE64 = st.binary(max_size=9).map(lambda data: data.hex())
IMAGES = st.builds(
    Image, media_type=st.just("image/png"), data=BASE64, detail=st.sampled_from([None, "low"])
) | st.builds(Image, url=WORD.map("https://images.test/{}".format))
DOCUMENTS = st.builds(
    Document, media_type=st.just("application/pdf"), data=BASE64.filter(bool), name=WORD
) | st.builds(Document, file_id=WORD)
SOUNDS = st.builds(Audio, data=BASE64, format=st.sampled_from(["wav", "mp3"]))
USER_ITEMS = st.lists(st.builds(Text, TEXT) | IMAGES | DOCUMENTS | SOUNDS, min_size=2, max_size=3)
NAME = st.none() | WORD


def said(*kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    parts = [st.lists(kind, max_size=1) for kind in kinds]
    return st.tuples(*parts).map(lambda lists: tuple(item for one in lists for item in one))


SOME_TEXT = st.builds(Text, TEXT.filter(bool))
SPOKEN = said(
    st.builds(Reasoning, TEXT.filter(bool)),
    SOME_TEXT,
    st.builds(Refusal, TEXT.filter(bool)),
    st.builds(Audio, id=WORD),
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Messages in the form that this dialect can express without loss."""
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 4))):
        role = draw(st.sampled_from([Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT]))
        if role is Role.ASSISTANT:
            calls = [
                ToolCall(f"call_{turn}_{n}", draw(WORD), draw(TEXT), draw(st.none() | JSON_OBJECT))
                for n in range(draw(st.integers(0, 2)))
            ]
            messages.append(Message(role, (*draw(SPOKEN), *calls), draw(NAME)))
            for call in calls:
                result = ToolResult(call.id, draw(said(SOME_TEXT)))
                messages.append(Message(Role.TOOL, (result,)))
        elif role is Role.USER:
            items = draw(USER_ITEMS.map(tuple) | said(SOME_TEXT))
            messages.append(Message(role, items, draw(NAME)))
        else:
            messages.append(Message(role, draw(said(SOME_TEXT)), draw(NAME)))
    return tuple(messages)


CALLS = st.booleans().flatmap(
    lambda stream: st.builds(
        Call,
        model=WORD,
        messages=conversations(),
        tools=st.lists(
            st.builds(Tool, WORD, NAME, st.none() | JSON_OBJECT, st.none() | st.booleans()),
            max_size=2,
        ).map(tuple),
        tool_choice=st.none()
        | st.builds(ToolChoice, st.sampled_from([ToolMode.AUTO, ToolMode.NONE, ToolMode.REQUIRED]))
        | st.builds(ToolChoice, st.just(ToolMode.NAMED), WORD),
        parallel_tool_calls=st.none() | st.booleans(),
        sampling=st.builds(
            Sampling,
            temperature=st.none() | NUMBER,
            top_p=st.none() | NUMBER,
            top_k=st.none() | st.integers(0, 99),
            seed=st.none() | st.integers(-(2**63), 2**63 - 1),
            presence_penalty=st.none() | NUMBER,
            frequency_penalty=st.none() | NUMBER,
        ),
        response_format=st.none()
        | st.builds(ResponseFormat, st.sampled_from([FormatKind.TEXT, FormatKind.JSON_OBJECT]))
        | st.builds(
            ResponseFormat,
            st.just(FormatKind.JSON_SCHEMA),
            WORD,
            NAME,
            st.none() | JSON_OBJECT,
            st.none() | st.booleans(),
        ),
        thinking=st.sampled_from(
            [
                None,
                Thinking(ThinkingMode.ENABLED, "high"),
                Thinking(ThinkingMode.DISABLED, "none"),
            ]
        ),
        max_output_tokens=st.none() | st.integers(1, 2**31),
        stop=st.lists(TEXT, max_size=4).map(tuple),
        choices=st.integers(1, 8),
        user=NAME,
        stream=st.just(stream),
        include_usage=st.just(stream),
        extras=st.dictionaries(WORD.map("x_{}".format), TEXT | JSON_OBJECT, max_size=2),
    )
)


@given(CALLS, st.sampled_from(["max_tokens", "max_completion_tokens"]))
def test_a_call_that_was_written_is_read_back(
    call: Call, output_field: Literal["max_tokens", "max_completion_tokens"]
) -> None:
    traits = Traits(output_field=output_field, wants_reasoning_back=True)
    assert decode(encoding.encode(call, traits)) == call


@given(CALLS)
def test_a_canonical_call_survives_being_stored(call: Call) -> None:
    assert msgspec.json.decode(msgspec.json.encode(call), type=Call) == call


def request(**fields: object) -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


def messages(*given: object) -> tuple[Message, ...]:
    return decode(request(messages=given)).messages


def test_a_plain_request_is_all_defaults() -> None:
    assert decode(request()) == Call(model="m", messages=(Message(Role.USER, (Text("Hi"),)),))


def test_unknown_fields_are_kept() -> None:
    call = decode(request(top_logprobs=3, nothing=None, nested={"a": [1]}))
    assert call.extras == {"top_logprobs": 3, "nothing": None, "nested": {"a": [1]}}


def test_zero_is_not_unset() -> None:
    assert decode(request(temperature=0)).sampling.temperature == 0
    assert json.loads(encoding.encode(decode(request(temperature=0))))["temperature"] == 0


def test_the_newer_name_of_the_output_limit_wins() -> None:
    assert decode(request(max_tokens=5)).max_output_tokens == 5
    assert decode(request(max_tokens=5, max_completion_tokens=7)).max_output_tokens == 7


def test_one_stop_is_a_list_of_one() -> None:
    assert decode(request(stop="END")).stop == ("END",)


def test_images_come_as_data_or_as_addresses() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/PNG;base64,AAAA", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:;base64,AAAA"}},
        {"type": "image_url", "image_url": "https://images.test/a.png"},
    ]
    assert messages({"role": "user", "content": parts})[0].items == (
        Image(media_type="image/png", data="AAAA", detail="low"),
        Image(media_type="image/jpeg", data="AAAA"),
        Image(url="https://images.test/a.png"),
    )


def test_an_address_that_holds_other_data_than_base64_stays_one() -> None:
    part = {"type": "image_url", "image_url": "data:image/svg+xml,<svg/>"}
    image = messages({"role": "user", "content": [part]})[0].items
    assert image == (Image(url="data:image/svg+xml,<svg/>"),)


def test_refusals_and_results_may_come_in_parts() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f"}}
    image = {"type": "image_url", "image_url": {"url": "https://images.test/a.png"}}
    refusal = [{"type": "text", "text": "Well."}, {"type": "refusal", "refusal": "No."}]
    read = messages(
        {"role": "assistant", "content": refusal, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "x"}, image]},
    )
    assert read[0].items == (Text("Well."), Refusal("No."), ToolCall("c", "f", ""))
    result = (Text("x"), Image(url="https://images.test/a.png"))
    assert read[1].items == (ToolResult("c", result),)


def test_functions_of_old_become_tools() -> None:
    call = decode(
        request(
            messages=[
                {"role": "user", "content": "Weather?"},
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "weather", "arguments": "{}"},
                },
                {"role": "function", "name": "weather", "content": "sunny"},
            ],
            functions=[{"name": "weather", "parameters": {"type": "object"}}],
            function_call={"name": "weather"},
        )
    )
    assert call.tools == (Tool("weather", parameters={"type": "object"}),)
    assert call.tool_choice == ToolChoice(ToolMode.NAMED, "weather")
    assert call.messages[1].items == (ToolCall("call_function_1", "weather", "{}"),)
    assert call.messages[2].items == (ToolResult("call_function_1", (Text("sunny"),)),)
    assert call.extras == {}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ...}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"messages": ...}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "video"}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]},
            "messages[0].content[0].text",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]},
                ]
            },
            "messages[1].tool_calls[0].id",
        ),
        (
            {"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]},
            "messages[0].tool_call_id",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0].role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            "messages[0].content[0].file",
        ),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"function_call": "maybe"}, "function_call"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"stop": [1]}, "stop[0]"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decode(request(**fields))
    assert caught.value.param == param
    assert f"'{param}'" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not valid JSON"),
        (b"{", "The body is not valid JSON"),
        (b"model=m", "The body is not valid JSON"),
        (b"\x00", "The body is not valid JSON"),
        (b"[]", "The body is not as expected: Expected `object`, got `array`."),
        (b"null", "The body is not as expected"),
        (b'{"model":"\xff"}', "The body is not valid UTF-8."),
        (b'{"model":"m","x":"\xff"}', "The body is not valid UTF-8."),
        (b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}', "not valid JSON"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "The body is nested too deeply."),
        (request(x=...)[:-1] + b',"x":' + b'{"a":' * 9_999 + b"1" + b"}" * 10_000, "nested"),
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decode(body)
    assert message in str(caught.value)


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["model", "messages", "role", "content", "type", "tools", "n"]),
                inner,
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_comes_in_is_read_or_refused(body: bytes) -> None:
    try:
        decode(body)
    except InvalidRequestError:
        return


def written(call: Call, traits: Traits | None = None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(encoding.encode(call, traits or Traits()))
    return body


def test_a_stream_asks_for_its_usage_whether_the_client_does_or_not() -> None:
    body = written(decode(request(stream=True)))
    assert body["stream_options"] == {"include_usage": True}


def test_results_of_tools_come_before_what_the_user_says() -> None:
    image = Image(media_type="image/png", data="AAAA")
    turn = Message(
        Role.USER,
        (
            Text("And now?"),
            ToolResult("c1", (Text("one"), Text("two"), image)),
            ToolResult("c2", (Text("broken"),), is_error=True),
            ToolResult("c3"),
        ),
    )
    assert written(Call(model="m", messages=(turn,)))["messages"] == [
        {"role": "tool", "tool_call_id": "c1", "content": "one\ntwo"},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: broken"},
        {"role": "tool", "tool_call_id": "c3", "content": ""},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "From the tool results above:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "text", "text": "And now?"},
            ],
        },
    ]


def test_an_assistant_without_text_has_a_content_of_null() -> None:
    turn = Message(Role.ASSISTANT, (Reasoning("hm", "sig"), ToolCall("c", "f", "{}")))
    call = Call(model="m", messages=(turn,))
    plain = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    }
    assert written(call)["messages"] == [plain]
    with_reasoning = {**plain, "reasoning_content": "hm"}
    assert written(call, Traits(wants_reasoning_back=True))["messages"] == [with_reasoning]


def test_blocks_of_a_system_prompt_are_joined_and_of_an_assistant_are_not_torn() -> None:
    call = Call(
        model="m",
        messages=(
            Message(Role.SYSTEM, (Text("One."), Text("Two."))),
            Message(Role.ASSISTANT, (Text("a"), Text("b"))),
        ),
    )
    assert [message["content"] for message in written(call)["messages"]] == ["One.\n\nTwo.", "ab"]


def test_a_document_of_text_is_text() -> None:
    call = Call(model="m", messages=(Message(Role.USER, (Document(text="Once"), Text("?"))),))
    assert written(call)["messages"][0]["content"] == [
        {"type": "text", "text": "Once"},
        {"type": "text", "text": "?"},
    ]


def test_a_document_that_would_have_to_be_fetched_is_refused() -> None:
    document = Document(url="https://documents.test/a.pdf")
    call = Call(model="m", messages=(Message(Role.USER, (document, Text("?"))),))
    with pytest.raises(InvalidRequestError):
        encoding.encode(call)


def test_what_no_dialect_lets_a_user_say_is_a_bug() -> None:
    call = Call(model="m", messages=(Message(Role.USER, (ToolCall("c", "f", "{}"),)),))
    with pytest.raises(TypeError):
        encoding.encode(call)


@pytest.mark.parametrize(
    ("thinking", "style", "fields"),
    [
        (Thinking(budget_tokens=1024), "effort", {"reasoning_effort": "low"}),
        (Thinking(budget_tokens=4_000), "effort", {"reasoning_effort": "medium"}),
        (Thinking(budget_tokens=16_000), "effort", {"reasoning_effort": "high"}),
        (Thinking(ThinkingMode.ADAPTIVE), "effort", {}),
        (Thinking(ThinkingMode.DISABLED), "effort", {}),
        (Thinking(ThinkingMode.DISABLED, "none"), "effort", {"reasoning_effort": "none"}),
        (Thinking(effort="minimal"), "effort", {"reasoning_effort": "minimal"}),
        (Thinking(budget_tokens=2_000), "toggle", {"thinking": {"type": "enabled"}}),
        (Thinking(ThinkingMode.DISABLED), "toggle", {"thinking": {"type": "disabled"}}),
        (Thinking(budget_tokens=2_000), "flag", {"enable_thinking": True, "thinking_budget": 2000}),
        (Thinking(ThinkingMode.DISABLED, budget_tokens=9), "flag", {"enable_thinking": False}),
        (Thinking(budget_tokens=2_000), "fixed", {}),
        (None, "toggle", {}),
    ],
)
def test_thinking_is_asked_for_the_way_the_model_knows(
    thinking: Thinking | None,
    style: Literal["effort", "toggle", "flag", "fixed"],
    fields: dict[str, Any],
) -> None:
    body = written(Call(model="m", messages=(), thinking=thinking), Traits(thinking=style))
    assert body == {"model": "m", "messages": [], **fields}
