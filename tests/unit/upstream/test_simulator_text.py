"""What is said, how it is cut into pieces, what it costs."""

from typing import Any

import pytest

from tests.upstream import text, tokens
from tests.upstream.answering import Choice, ToolCall, Wish, choose, interleave
from tests.upstream.examples import example
from tests.upstream.faults import parse_spec


@pytest.mark.parametrize(
    ("given", "count"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("é", 1), ("ééé", 2)]
)
def test_text_costs_a_token_per_four_bytes(given: str, count: int) -> None:
    assert tokens.count_text(given) == count


@pytest.mark.parametrize(
    ("message", "count"),
    [
        ({"role": "user", "content": "abcdefgh"}, 4 + 2),
        ({"role": "assistant", "content": None}, 4),
        ({"role": "user", "content": [{"type": "text", "text": "abcd"}]}, 4 + 1),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, 4 + 85),
        ({"role": "user", "content": [{"type": "input_audio"}]}, 4 + 50),
        ({"tool_calls": [{"function": {"name": "abcd", "arguments": "{}"}}]}, 4 + 1 + 1),
    ],
)
def test_message_tokens(message: dict[str, Any], count: int) -> None:
    assert tokens.count_message(message) == count


def test_tools_cost_their_sorted_compact_json() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    same = [{"function": {"name": "f"}, "type": "function"}]
    wire = '[{"function":{"name":"f"},"type":"function"}]'
    assert tokens.count_prompt([], tools) == (len(wire) + 3) // 4 == tokens.count_prompt([], same)


@pytest.mark.parametrize("question", ["hi", "", "word " * 500, "x" * 10_000, "a b\n\nc"])
def test_demo_answer_has_12_to_40_pieces(question: str) -> None:
    assert 12 <= len(text.demo_pieces(question)) <= 40


def test_numbered_pieces_carry_their_index() -> None:
    assert text.numbered_pieces(2, None) == (" tok00000", " tok00001")
    assert {len(piece) for piece in text.numbered_pieces(5, 20)} == {20}
    assert {len(piece) for piece in text.numbered_pieces(5, 3)} == {3}


@pytest.mark.parametrize(
    ("prefix", "rest"),
    [
        ("", "onetwo"),
        ("one", "two"),
        ("on", "etwo"),
        ("onet", "wo"),
        ("onetwo", ""),
        ("x", "onetwo"),
    ],
)
def test_an_answer_continues_after_its_prefix(prefix: str, rest: str) -> None:
    assert "".join(text.continue_after(("one", "two"), prefix)) == rest


@pytest.mark.parametrize(
    ("stops", "kept", "stopped"),
    [([], "onetwo", False), (["tw"], "one", True), (["et", "n"], "o", True), (["o"], "", True)],
)
def test_stop_sequences_are_not_said(stops: list[str], kept: str, stopped: bool) -> None:  # noqa: FBT001
    pieces, found = text.stop_before(("one", "two"), stops)
    assert ("".join(pieces), found) == (kept, stopped)


def test_limit_counts_reasoning_first() -> None:
    wish = Wish("hi", parse_spec("r3-n10"), limit=5)
    choice = choose(wish)
    assert (len(choice.reasoning), len(choice.content), choice.ending) == (3, 2, "length")
    assert choose(Wish("hi", parse_spec("r3-n10"), limit=2)).tokens == 2


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("", "<think>The user</think> tok00000 tok00001"),
        ("<think>The", " user</think> tok00000 tok00001"),
        ("<think>The user</think> tok00000", " tok00001"),
        (" tok0", "0000 tok00001"),
    ],
)
def test_a_thought_said_aloud_is_not_said_twice(prefix: str, said: str) -> None:
    choice = choose(Wish("hi", parse_spec("n2-r2-think"), prefix=prefix))
    assert (choice.text, choice.reasoning) == (said, ())


def test_tags_cost_no_token() -> None:
    assert choose(Wish("hi", parse_spec("n2-r2-think"))).tokens == 4
    assert choose(Wish("hi", parse_spec("n2-r2-think"), limit=3)).text.endswith("</think> tok00000")
    assert choose(Wish("hi", parse_spec("n2-think"))).tokens == 8 + 2


def test_tool_calls_are_cut_at_the_limit() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    whole = choose(Wish("x", calls=("a", "b"), tools={"a": schema}))
    assert whole.ending == "calls"
    assert whole.calls[0].arguments == '{"city":"demo city"}'
    assert whole.calls[1].arguments == "{}"
    cut = choose(Wish("x", calls=("a", "b"), tools={"a": schema}, limit=2))
    assert (cut.tokens, len(cut.calls), cut.ending) == (2, 1, "length")


def test_parallel_calls_take_turns() -> None:
    calls = [ToolCall("a", ("1", "2")), ToolCall("b", ("x",))]
    assert interleave(calls) == [(0, "1"), (1, "x"), (0, "2")]
    assert Choice(calls=tuple(calls)).tokens == 5


@pytest.mark.parametrize(
    ("said", "names"),
    [("call:f", ("f",)), ("do call:a,b now", ("a", "b")), ("recall:f", ()), ("nothing", ())],
)
def test_requested_calls(said: str, names: tuple[str, ...]) -> None:
    assert text.requested_calls(said) == names


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "enum": ["b", "a"]}, "b"),
        ({"type": ["string", "null"], "maxLength": 4}, "demo"),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"const": 3}, 3),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "number"}}}, 1),
        ({"properties": {"a": {"type": "string"}}}, {"a": "demo a"}),
    ],
)
def test_example_of_a_schema(schema: dict[str, Any], value: object) -> None:
    assert example(schema) == value


def test_recursive_schemas_end() -> None:
    assert example({"type": "object", "properties": {"next": {"$ref": "#"}}})
