"""Keys are found wherever an SDK puts them, and header bytes become text that can be kept."""

from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sanic.compat import Header

from api.context import Request
from api.incoming import MAX_AGENT, api_key, printable
from gateway.errors import InvalidApiKeyError


def key(*headers: tuple[str, str]) -> str:
    return api_key(cast("Request", SimpleNamespace(headers=Header(headers))))


@pytest.mark.parametrize(
    "header",
    [
        ("authorization", "Bearer llm-1"),
        ("Authorization", "bearer llm-1"),
        ("authorization", "BEARER   llm-1  "),
        ("authorization", "Bearer\tllm-1"),
        ("x-api-key", "llm-1"),
        ("X-Api-Key", "  llm-1 "),
        ("api-key", "llm-1"),
        ("sec-websocket-protocol", "openai-insecure-api-key.llm-1"),
        ("sec-websocket-protocol", "realtime, openai-insecure-api-key.llm-1, openai-beta.v1"),
        (
            "sec-websocket-protocol",
            "realtime,openai-insecure-api-key.,openai-insecure-api-key.llm-1",
        ),
    ],
)
def test_a_key_is_found_wherever_it_is_put(header: tuple[str, str]) -> None:
    assert key(header) == "llm-1"


def test_a_bearer_goes_before_the_other_headers() -> None:
    assert key(("x-api-key", "llm-2"), ("authorization", "Bearer llm-1")) == "llm-1"
    assert key(("x-api-key", "llm-2"), ("authorization", "Basic eDp5")) == "llm-2"
    assert key(("api-key", "llm-3"), ("x-api-key", " ")) == "llm-3"


def test_a_key_offered_as_a_sub_protocol_counts_last() -> None:
    offered = ("sec-websocket-protocol", "openai-insecure-api-key.llm-4")
    assert key(offered, ("api-key", "llm-3")) == "llm-3"
    assert key(("sec-websocket-protocol", "realtime"), offered) == "llm-4"


def test_a_key_may_hold_what_separates_it_elsewhere() -> None:
    assert key(("authorization", "Bearer a.b-c=")) == "a.b-c="
    assert key(("sec-websocket-protocol", "openai-insecure-api-key.a.b")) == "a.b"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer ")],
        [("authorization", "llm-1")],
        [("authorization", "Basic eDp5")],
        [("x-api-key", "")],
        [("x-api-key", "  ")],
        [("sec-websocket-protocol", "realtime")],
        [("sec-websocket-protocol", "openai-insecure-api-key.")],
        [("sec-websocket-protocol", "not-openai-insecure-api-key.llm-1")],
    ],
)
def test_a_request_without_key_is_told_how_to_send_one(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidApiKeyError, match="Authorization: Bearer"):
        key(*headers)


@given(st.text() | st.binary().map(lambda raw: raw.decode(errors="surrogateescape")))
def test_a_user_agent_can_be_kept_whatever_it_was(text: str) -> None:
    kept = printable(text)
    assert len(kept) == min(len(text), MAX_AGENT)
    assert kept.isprintable()
    kept.encode()


def test_a_decent_user_agent_stays_as_it_is() -> None:
    assert printable("OpenAI/Python 3.52.0 (ü)") == "OpenAI/Python 3.52.0 (ü)"
