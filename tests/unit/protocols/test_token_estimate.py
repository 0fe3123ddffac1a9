"""Estimated tokens follow the documented rule, and pictures are never counted as text."""

import json
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols import estimate

BASE64 = "iVBORw0KGgo/" * 100_000


def by_the_rule(text: str) -> int:
    return ceil(sum(1.5 if char >= "\u3000" else 0.25 for char in text))


@given(st.text())
def test_text_is_counted_by_the_documented_rule(text: str) -> None:
    assert estimate.text_tokens(text) == by_the_rule(text)


@given(st.text(), st.text())
def test_more_text_never_counts_less(one: str, other: str) -> None:
    assert estimate.text_tokens(one + other) >= estimate.text_tokens(one)


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_a_prompt_counts_at_least_its_text_whether_escaped_or_not(text: str) -> None:
    messages = [{"role": "user", "content": text}]
    for ensure_ascii in (True, False):
        raw = json.dumps(messages, ensure_ascii=ensure_ascii).encode()
        assert estimate.prompt_tokens(raw) >= by_the_rule(text)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("你好", 3), ("你好a", 4)]
)
def test_worked_examples(text: str, tokens: int) -> None:
    assert estimate.text_tokens(text) == tokens


def prompt(*parts: dict[str, Any]) -> int:
    messages = [{"role": "user", "content": parts}]
    return estimate.prompt_tokens(json.dumps(messages).encode())


@pytest.mark.parametrize(
    "image",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64}"}},
        {"type": "image_url", "image_url": {"url": "https://example.test/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64}},
        {"type": "image", "source": {"type": "url", "url": "https://example.test/a.png"}},
        {"type": "tool_result", "content": [{"type": "image", "source": {"data": BASE64}}]},
    ],
)
def test_an_image_counts_the_same_however_large_it_is(image: dict[str, Any]) -> None:
    text = {"type": "text", "text": "What is this?"}
    without = prompt(text)
    assert 0 <= prompt(text, image) - without - estimate.IMAGE_TOKENS <= 20


def test_slashes_escaped_in_base64_make_no_difference() -> None:
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64}"}}
    raw = json.dumps([{"role": "user", "content": [part]}]).replace("/", "\\/").encode()
    assert estimate.prompt_tokens(raw) == prompt(part)


def test_files_and_sound_count_by_their_length() -> None:
    short = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    long = {"type": "file", "file": {"file_data": BASE64, "filename": "a.pdf"}}
    assert 0 <= prompt(short) - estimate.LEAST_FILE_TOKENS <= 20
    assert 0 <= prompt(long) - len(BASE64) // estimate.BYTES_PER_FILE_TOKEN <= 20


def test_a_document_of_plain_text_counts_as_text() -> None:
    document = {"type": "document", "source": {"type": "text", "data": "word " * 4_000}}
    assert prompt(document) >= 5_000


def test_text_that_looks_like_an_image_counts_as_text() -> None:
    part = {"type": "text", "text": f"data:image/png;base64,{BASE64}"}
    assert prompt(part) >= len(BASE64) // 4


@pytest.mark.parametrize(
    "raw", [b"", b"[", b'{"type":"function"}', b'[{"type":"function"}]', b'["type"]', b"\xff\xff"]
)
def test_what_is_no_array_of_messages_counts_as_text(raw: bytes) -> None:
    assert estimate.prompt_tokens(raw) == pytest.approx(len(raw) / 4, abs=2)
