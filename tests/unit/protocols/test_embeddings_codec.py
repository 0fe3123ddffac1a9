"""Embeddings pass as they came, under the name that was asked for, and are counted."""

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequestError, UpstreamError
from gateway.protocols import openai_embeddings
from gateway.protocols.exchange import Read, Wish


def read(body: bytes, name: str) -> Read:
    request = openai_embeddings.decode(b'{"model":"m","input":"x"}')
    return request.exchange("openai", name).read(body)


@pytest.mark.parametrize(
    ("given", "tokens"),
    [("abcde", 2), (["abcd", "你好"], 4), ([1, 22, 333], 3), ([[1, 2], [3]], 3), (["", 7], 1)],
)
def test_text_is_estimated_and_numbers_are_tokens(given: object, tokens: int) -> None:
    request = openai_embeddings.decode(json.dumps({"model": "m", "input": given}).encode())
    assert (request.model, request.prompt_tokens, request.stream) == ("m", tokens, False)


def test_unknown_fields_pass_and_parameters_fill_what_is_missing() -> None:
    request = openai_embeddings.decode(b'{"model":"m","input":"x","new":{"a":1},"dimensions":3}')
    wish = Wish("up", {"dimensions": 9, "truncate": True}, 100)
    body = json.loads(request.exchange("openai", "m").body(wish))
    assert body == {
        "model": "up",
        "input": "x",
        "new": {"a": 1},
        "dimensions": 3,
        "truncate": True,
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [{}]}, "input[0]"),
        ({"input": [["a"]]}, "input[0][0]"),
        ({"dimensions": 0}, "dimensions"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        openai_embeddings.decode(json.dumps({"model": "m", "input": "x", **fields}).encode())
    assert caught.value.param == param


def test_an_answer_keeps_its_bytes_if_its_name_is_right() -> None:
    body = b'{"data":[{"embedding":[0.10]}], "model":"m","usage":{"prompt_tokens":5}}'
    answer = read(body, "m")
    assert answer.body is body
    assert answer.usage == [("input", "", 5), ("output", "", 0)]


def test_an_answer_under_another_name_gets_the_asked_one() -> None:
    body = b'{"data":[{"embedding":[0.10]}],"model":"up"}'
    answer = read(body, "m")
    assert answer.body == b'{"data":[{"embedding":[0.10]}],"model":"m"}'
    assert answer.usage is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"data":[]}', b'{"data":[{}],"error":"No."}', b"\xff"]
)
def test_a_success_without_an_answer_is_none(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read(body, "m")


def test_there_is_nothing_to_convert() -> None:
    request = openai_embeddings.decode(b'{"model":"m","input":"x"}')
    assert request.call() is None
    assert request.affinity() is None
    assert [request.speaks(protocol) for protocol in ("openai", "anthropic")] == [True, False]
