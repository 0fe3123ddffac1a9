"""Chat bodies that pass through keep everything but what has to change."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequestError
from gateway.protocols.exchange import Wish
from gateway.protocols.openai_chat import passthrough
from gateway.protocols.traits import Traits

MESSAGES = [{"role": "user", "content": "hello"}]
BODY: dict[str, Any] = {"model": "chat", "messages": MESSAGES}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
KNOWN = {"model", "messages", "stream", "stream_options", "n", "max_tokens"}
KNOWN |= {"max_completion_tokens"}
UNKNOWN = st.dictionaries(TEXTS.filter(lambda name: name not in KNOWN), VALUES, max_size=4)


def sent(
    body: dict[str, Any],
    *,
    most: int | None = None,
    parameters: dict[str, Any] | None = None,
    upstream: str = "chat",
) -> dict[str, Any]:
    """What the vendor gets of a client's body."""
    request = passthrough.decode(json.dumps(body).encode())
    wish = Wish(upstream, parameters or {}, most)
    found: dict[str, Any] = json.loads(request.exchange("openai", "chat").body(wish))
    return found


@given(UNKNOWN)
def test_unknown_fields_go_on_untouched(unknown: dict[str, Any]) -> None:
    body = {**BODY, **unknown}
    assert sent(body) == body
    assert sent(body, upstream="other") == {**body, "model": "other"}


@given(UNKNOWN, st.booleans())
def test_the_order_and_the_bytes_of_values_stay(unknown: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001
    raw = json.dumps({**BODY, **unknown}, ensure_ascii=ascii_only, separators=(",", ":")).encode()
    names = list(json.loads(passthrough.decode(raw).body(Wish("chat"))))
    assert names == [*BODY, *unknown]
    for name, value in passthrough.decode(raw).fields.items():
        assert bytes(value) in raw, name


def test_numbers_are_not_rewritten() -> None:
    raw = b'{"model":"chat","messages":[{"role":"user","content":"x"}],"seed":1e2,"top_p":1.10}'
    assert b'"seed":1e2,"top_p":1.10' in passthrough.decode(raw).body(Wish("m"))


def test_parameters_of_the_model_yield_to_those_of_the_client() -> None:
    parameters = {"temperature": 0.5, "top_p": 0.9}
    assert sent({**BODY, "top_p": 0.1}, parameters=parameters) == {
        **BODY,
        "temperature": 0.5,
        "top_p": 0.1,
    }


@pytest.mark.parametrize(
    ("given_limits", "most", "expected"),
    [
        ({}, None, {}),
        ({}, 7, {"max_tokens": 7}),
        ({"max_tokens": 5}, 7, {"max_tokens": 5}),
        ({"max_tokens": 5}, None, {"max_tokens": 5}),
        ({"max_tokens": 9}, 7, {"max_tokens": 7}),
        ({"max_completion_tokens": 9}, 7, {"max_completion_tokens": 7}),
        ({"max_completion_tokens": None}, 7, {"max_completion_tokens": None, "max_tokens": 7}),
        (
            {"max_tokens": 9_000, "max_completion_tokens": 5},
            7,
            {"max_tokens": 7, "max_completion_tokens": 5},
        ),
        (
            {"max_tokens": 9, "max_completion_tokens": 8},
            7,
            {"max_tokens": 7, "max_completion_tokens": 7},
        ),
    ],
)
def test_no_limit_says_more_than_the_hold_pays(
    given_limits: dict[str, Any], most: int | None, expected: dict[str, Any]
) -> None:
    assert sent({**BODY, **given_limits}, most=most) == {**BODY, **expected}


def test_a_limit_that_nobody_gave_goes_into_the_vendors_field() -> None:
    wish = Wish("m", {}, 7, Traits(output_field="max_completion_tokens"))
    sent_fields = json.loads(passthrough.decode(json.dumps(BODY).encode()).body(wish))
    assert sent_fields == {**BODY, "model": "m", "max_completion_tokens": 7}


def test_the_limit_of_the_models_parameters_is_clamped_too() -> None:
    assert sent(BODY, most=7, parameters={"max_tokens": 100})["max_tokens"] == 7
    assert sent(BODY, most=7, parameters={"max_tokens": 3})["max_tokens"] == 3


def test_a_limit_of_the_models_parameters_is_no_second_one() -> None:
    body = {**BODY, "max_completion_tokens": 5}
    assert sent(body, parameters={"max_tokens": 77, "top_k": 1}) == {**body, "top_k": 1}
    assert sent(body, most=5, parameters={"max_tokens": 77}) == body


@pytest.mark.parametrize(
    ("effort", "tokens"),
    [
        ('"high"', 16384),
        ('"h\\u0069gh"', 16384),
        ('"odd"', 8192),
        ('"none"', 0),
        ("null", 0),
        ("7", 0),
        ("[]", 0),
        ('{"effort":"high"}', 0),
    ],
)
def test_only_an_effort_in_words_is_held_for(effort: str, tokens: int) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"reasoning_effort":%b}'
    assert passthrough.decode(body % effort.encode()).thinking_tokens == tokens


def test_of_two_limits_the_larger_one_is_held_for() -> None:
    body = json.dumps({**BODY, "max_tokens": 9_000, "max_completion_tokens": 5}).encode()
    assert passthrough.decode(body).max_output_tokens == 9_000


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("absent", {"include_usage": True}),
        (None, {"include_usage": True}),
        ({}, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": True}),
        ({"include_usage": None, "x": [1]}, {"include_usage": True, "x": [1]}),
        ({"include_obfuscation": False}, {"include_obfuscation": False, "include_usage": True}),
    ],
)
def test_a_stream_always_asks_for_usage(options: Any, expected: dict[str, Any]) -> None:  # noqa: ANN401
    body = {**BODY, "stream": True}
    if options != "absent":
        body["stream_options"] = options
    assert sent(body)["stream_options"] == expected
    assert not passthrough.decode(json.dumps(body).encode()).include_usage


def test_a_client_that_asks_for_usage_itself_keeps_its_options() -> None:
    body = {**BODY, "stream": True, "stream_options": {"include_usage": True, "x": 1}}
    assert sent(body) == body
    assert passthrough.decode(json.dumps(body).encode()).include_usage


def test_the_options_of_what_is_no_stream_stay_as_they_are() -> None:
    for stream in (False, None):
        body = {**BODY, "stream": stream, "stream_options": {"include_usage": False}}
        assert sent(body) == body


def test_tools_count_as_prompt() -> None:
    plain = passthrough.decode(json.dumps(BODY).encode())
    tools = [{"type": "function", "function": {"name": "f", "description": "long " * 100}}]
    with_tools = passthrough.decode(json.dumps({**BODY, "tools": tools}).encode())
    assert with_tools.prompt_tokens >= plain.prompt_tokens + 125


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        passthrough.decode(body)


@given(st.dictionaries(st.sampled_from(sorted(KNOWN)), VALUES))
def test_any_fields_are_read_or_the_wrong_one_is_named(fields: dict[str, Any]) -> None:
    body = json.dumps({**BODY, **fields}).encode()
    problem = problem_of(body)
    if problem is not None:
        assert problem.param is not None
        assert problem.param.partition("[")[0].partition(".")[0] in KNOWN
        return
    request = passthrough.decode(body)
    assert request.choices >= 1
    assert request.max_output_tokens is None or request.max_output_tokens >= 1
    json.loads(request.body(Wish("other", max_output_tokens=1)))


def problem_of(body: bytes) -> InvalidRequestError | None:
    try:
        passthrough.decode(body)
    except InvalidRequestError as error:
        return error
    return None
