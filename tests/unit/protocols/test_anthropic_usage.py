"""Usage of the Anthropic dialect: nothing is counted twice and nothing is made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.anthropic_messages import usage
from gateway.protocols.canonical import count

NUMBER = st.integers(1, 10**9)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (None, None),
        ("many", None),
        ({}, None),
        ({"input_tokens": 0, "output_tokens": 0}, None),
        ({"input_tokens": None, "output_tokens": -1}, None),
        ({"input_tokens": 5}, [("input", "", 5), ("output", "", 0)]),
        ({"output_tokens": 5.0}, [("input", "", 0), ("output", "", 5)]),
        (
            {"input_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 7, "x": "y"}},
            [("input", "", 5), ("output", "", 0), ("cache_write", "", 7)],
        ),
        (
            {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 9}},
            [("input", "", 0), ("output", "", 0), ("reasoning", "", 5)],
        ),
        (
            {"output_tokens": 5, "output_tokens_details": None},
            [("input", "", 0), ("output", "", 5)],
        ),
    ],
)
def test_usage_is_read_whatever_it_looks_like(wire: object, expected: object) -> None:
    assert usage.read(wire) == expected


@given(NUMBER, NUMBER, NUMBER, NUMBER, NUMBER)
def test_what_is_written_is_read_again(
    fresh: int, cached: int, written: int, output: int, thinking: int
) -> None:
    told = [
        ("input", "", fresh),
        ("output", "", output),
        ("cached_input", "", cached),
        ("cache_write", "", written),
        ("reasoning", "", thinking),
    ]
    wire = usage.write(told)
    assert wire["input_tokens"] == fresh
    assert wire["output_tokens"] == output + thinking
    assert usage.read(wire) == told


def test_sound_counts_as_input_and_output() -> None:
    wire = usage.write([("input", "", 1), ("audio_input", "", 2), ("audio_output", "", 4)])
    assert (wire["input_tokens"], wire["output_tokens"]) == (3, 4)


def test_a_later_number_takes_the_place_of_an_earlier_and_none_or_zero_does_not() -> None:
    merged = usage.merge(
        {"input_tokens": 3, "cache_read_input_tokens": 8, "output_tokens": 1},
        {"input_tokens": 0, "cache_read_input_tokens": None, "output_tokens": 20},
    )
    read = usage.read(merged)
    assert read is not None
    assert count(read, "input", "cached_input") == 11
    assert count(read, "output") == 20
    assert usage.merge(merged, None) == merged
