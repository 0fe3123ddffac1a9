"""Bodies that nobody thought of: each is served or refused, and none breaks anything."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.refusals import CHAT, VALID, alarms, problem
from tests.stack import Stack
from tests.stack.of_module import stack_of_module

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [*VALID, "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "tools"]
)
SEEDS: list[dict[str, Any]] = [
    VALID,
    {**VALID, "stream": True, "stream_options": {"include_usage": False}, "max_tokens": 5},
    {**VALID, "n": 2, "tools": [{"type": "function", "function": {"name": "f"}}]},
]
CHANGED = st.builds(
    lambda seed, fields: json.dumps({**seed, **fields}).encode("utf-8", "surrogatepass"),
    st.sampled_from(SEEDS),
    st.dictionaries(FIELDS, VALUES, min_size=1, max_size=3),
)


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template, limit_usd="1000000") as running:
        yield running


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A valid body of which some bytes were exchanged, dropped, doubled or put in."""
    body = json.dumps(draw(st.sampled_from(SEEDS))).encode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 8)))
        body = body[:start] + draw(st.binary(max_size=6)) + body[end:]
    return body


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=CHANGED | broken())
def test_any_body_is_served_or_refused(stack: Stack, body: bytes) -> None:
    with stack.http() as http:
        for path in (CHAT, "/v1/embeddings"):
            response = http.post(path, content=body)
            if response.status_code != 200:
                assert 400 <= response.status_code < 500, response.text
                problem(response, response.status_code)
    assert alarms(stack) == []
