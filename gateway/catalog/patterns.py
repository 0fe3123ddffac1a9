"""Names that hold ``*``: one model for all that match, the closest pattern first."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

STAR = "*"
# Longer names belong to nobody, and would only cost time.
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Pattern:
    text: str
    slug: str
    expression: re.Pattern[str]


def is_pattern(name: str) -> bool:
    return STAR in name


def patterns_of(slugs: Mapping[str, str]) -> tuple[Pattern, ...]:
    """The patterns among these names, each with its model, in the order to try them."""
    patterns = [
        Pattern(name, slug, _compiled(name)) for name, slug in slugs.items() if STAR in name
    ]
    return tuple(sorted(patterns, key=lambda it: (-_literals(it.text), it.slug, it.text)))


def match(patterns: tuple[Pattern, ...], name: str) -> str | None:
    """The slug of the first pattern that fits the whole name."""
    if len(name) > LONGEST_NAME:
        return None
    return next((it.slug for it in patterns if it.expression.fullmatch(name)), None)


def _literals(text: str) -> int:
    return len(text) - text.count(STAR)


def _compiled(text: str) -> re.Pattern[str]:
    """Each part is taken where it comes first, once and for all: no name takes long."""
    first, *rest = re.split(r"\*+", text)
    *middle, last = rest
    steps = "".join(f"(?>.*?{re.escape(part)})" for part in middle if part)
    return re.compile(f"{re.escape(first)}{steps}.*{re.escape(last)}", re.DOTALL)
