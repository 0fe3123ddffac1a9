"""Models that are asked for by pattern: whole names, the closest pattern first."""

import time

import pytest

from gateway.catalog.patterns import LONGEST_NAME, match, patterns_of

NAMES = {
    "*": "any",
    "gpt-*": "gpt",
    "gpt-4*": "gpt-four",
    "*-mini": "mini",
    "gpt-4o": "exact",
    "o*-*-high": "high",
    "b.d": "dotted",
    "b.*": "dots",
    "same-*": "second",
    "same*-": "first",
}
PATTERNS = patterns_of(NAMES)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("gpt-4o", "gpt-four"),
        ("gpt-3", "gpt"),
        ("gpt-", "gpt"),
        ("gpt-3-mini", "mini"),
        ("gpt-4-mini", "gpt-four"),
        ("o3-pro-high", "high"),
        ("o3--high", "high"),
        ("o3-high", "any"),
        ("my-gpt-4", "any"),
        ("b.e", "dots"),
        ("bxe", "any"),
        ("vendor/gpt-4-mini", "mini"),
        ("GPT-4", "any"),
        ("same--", "first"),
        ("", "any"),
        ("gpt-4\n", "gpt-four"),
        ("x" * LONGEST_NAME, "any"),
        ("x" * (LONGEST_NAME + 1), None),
    ],
)
def test_the_closest_pattern_that_fits_the_whole_name_wins(name: str, slug: str | None) -> None:
    assert match(PATTERNS, name) == slug


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    patterns = patterns_of({"*a" * 60 + "b": "slow"})
    started = time.process_time()
    assert match(patterns, "a" * LONGEST_NAME) is None
    assert time.process_time() - started < 0.1


def test_stars_next_to_each_other_are_one() -> None:
    assert match(patterns_of({"a**b": "m"}), "a-b") == "m"
    assert match(patterns_of({"a*b": "m"}), "ab") == "m"
    assert match(patterns_of({"ab*ba": "m"}), "aba") is None
