"""Anthropic bodies that pass through keep everything but what has to change."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequestError
from gateway.protocols.anthropic_messages import passthrough
from gateway.protocols.canonical import Call, Message, Role, Text
from gateway.protocols.exchange import Wish

MESSAGES = [{"role": "user", "content": "hello"}]
BODY: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": MESSAGES}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
KNOWN = {"model", "messages", "max_tokens", "stream"}
UNKNOWN = st.dictionaries(TEXTS.filter(lambda name: name not in KNOWN), VALUES, max_size=4)


def decoded(**fields: object) -> passthrough.MessagesRequest:
    body = {name: value for name, value in {**BODY, **fields}.items() if value is not ...}
    return passthrough.decode(json.dumps(body).encode())


def sent(wish: Wish, **fields: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decoded(**fields).exchange("anthropic", "m").body(wish))
    return found


@given(UNKNOWN, st.booleans())
def test_unknown_fields_go_on_byte_for_byte_and_in_their_order(
    unknown: dict[str, Any],
    ascii_only: bool,  # noqa: FBT001
) -> None:
    raw = json.dumps({**BODY, **unknown}, ensure_ascii=ascii_only).encode()
    request = passthrough.decode(raw)
    for model in ("m", "up"):
        body = request.exchange("anthropic", "m").body(Wish(model))
        assert list(json.loads(body).items()) == list({**BODY, **unknown, "model": model}.items())
        for name, value in request.fields.items():
            assert bytes(value) in raw
            assert name == "model" or bytes(value) in body


def test_numbers_and_spaces_within_values_are_not_rewritten() -> None:
    raw = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"a":[1e2, 1.10]}'
    assert b'"a":[1e2, 1.10]' in passthrough.decode(raw).body(Wish("up"))


def test_parameters_of_the_model_yield_to_those_of_the_client() -> None:
    wish = Wish("m", {"temperature": 0.5, "top_k": 3})
    assert sent(wish, temperature=0.1) == {**BODY, "temperature": 0.1, "top_k": 3}


@pytest.mark.parametrize(("most", "expected"), [(None, 9), (10, 9), (9, 9), (8, 8), (1, 1)])
def test_the_limit_says_no_more_than_the_hold_pays(most: int | None, expected: int) -> None:
    assert sent(Wish("m", max_output_tokens=most))["max_tokens"] == expected


@pytest.mark.parametrize(
    ("budget", "most", "is_kept"), [(1024, 2000, True), (1024, 1024, False), (4096, 1, False)]
)
def test_thoughts_that_no_longer_fit_below_our_limit_are_not_asked_for(
    budget: int, most: int, *, is_kept: bool
) -> None:
    thinking = {"type": "enabled", "budget_tokens": budget}
    for parameters, fields in (({}, {"thinking": thinking}), ({"thinking": thinking}, {})):
        wish = Wish("m", parameters, most)
        found = sent(wish, max_tokens=8192, **fields)
        assert ("thinking" in found, found["max_tokens"]) == (is_kept, most)


@pytest.mark.parametrize("thinking", [None, {"type": "adaptive"}, {"budget_tokens": "odd"}])
def test_thoughts_without_a_budget_stay_below_any_limit(thinking: object) -> None:
    assert sent(Wish("m", max_output_tokens=1), thinking=thinking)["thinking"] == thinking


def test_a_budget_that_the_client_itself_gave_no_room_is_his() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert sent(Wish("m", max_output_tokens=50), thinking=thinking)["thinking"] == thinking


def test_a_changed_request_is_written_anew_with_what_is_unknown() -> None:
    call = decoded(beta_feature={"a": 1}).call()
    call = Call(
        model="m",
        messages=(*call.messages, Message(Role.ASSISTANT, (Text("So"),))),
        max_output_tokens=call.max_output_tokens,
        extras=call.extras,
    )
    found = sent(Wish("up", call=call), beta_feature={"a": 1})
    assert (found["model"], found["max_tokens"]) == ("up", 9)
    assert found["beta_feature"] == {"a": 1}
    assert [message["role"] for message in found["messages"]] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ...}, "model"),
        ({"model": ""}, "model"),
        ({"messages": ...}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"max_tokens": ...}, "max_tokens"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 2**31}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decoded(**fields)
    assert caught.value.param == param


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        passthrough.decode(body)


def test_what_a_request_says_of_itself() -> None:
    plain, streamed = decoded(), decoded(stream=True)
    assert (plain.stream, streamed.stream) == (False, True)
    assert (plain.choices, plain.max_output_tokens, plain.include_usage) == (1, 9, True)
    assert plain.call().messages == (Message(Role.USER, (Text("hello"),)),)
    assert [plain.speaks(name) for name in ("anthropic", "openai", "other")] == [True, True, False]


def test_short_conversations_need_no_home_and_long_ones_keep_it() -> None:
    assert decoded().affinity() is None
    long = [{"role": "user", "content": "word " * 4_000}]
    more = [*long, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Why?"}]
    home = decoded(messages=long).affinity()
    assert home is not None
    assert decoded(messages=more).affinity() == home
    assert decoded(messages=more, system="Be kind.").affinity() != home
    assert decoded(messages=[{"role": "user", "content": "other " * 4_000}]).affinity() != home


def test_who_asks_for_a_cache_gets_a_home_however_short_the_beginning() -> None:
    block = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    assert decoded(system=[block]).affinity() is not None
