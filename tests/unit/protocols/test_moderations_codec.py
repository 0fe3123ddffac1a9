"""Moderations pass as they came, under the name that was asked for, and are estimated."""

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequestError, UpstreamError
from gateway.protocols import openai_moderations
from gateway.protocols.estimate import IMAGE_TOKENS
from gateway.protocols.exchange import Read, Wish
from gateway.protocols.openai_moderations import ModerationsRequest

PARTS = [
    {"type": "text", "text": "abcde"},
    {"type": "image_url", "image_url": {"url": "https://images.example/a.png"}},
]


def decoded(**fields: Any) -> ModerationsRequest:  # noqa: ANN401
    return openai_moderations.decode(json.dumps({"input": "abcde", **fields}).encode())


def read(body: bytes) -> Read:
    return decoded().exchange("openai", "m").read(body)


@pytest.mark.parametrize(
    ("given", "tokens"), [("abcde", 2), (["abcd", "你好"], 4), (PARTS, 2 + IMAGE_TOKENS)]
)
def test_the_input_is_estimated(given: object, tokens: int) -> None:
    request = decoded(input=given)
    assert (request.prompt_tokens, request.max_output_tokens, request.stream) == (
        tokens,
        None,
        False,
    )


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({}, "omni-moderation-latest"),
        ({"model": None}, "omni-moderation-latest"),
        ({"model": "own"}, "own"),
    ],
)
def test_who_names_no_model_gets_the_vendors_latest(fields: dict[str, Any], model: str) -> None:
    request = decoded(**fields)
    assert request.model == model
    assert json.loads(request.body(Wish("real")))["model"] == "real"


def test_unknown_fields_pass_and_parameters_fill_what_is_missing() -> None:
    body = decoded(input=PARTS, new=1).body(Wish("up", {"new": 2, "extra": 3}))
    assert json.loads(body) == {"input": PARTS, "new": 1, "extra": 3, "model": "up"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [1]}, "input[0]"),
        ({"input": [{"text": "x"}]}, "input[0].type"),
        ({"model": ""}, "model"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decoded(**fields)
    assert caught.value.param == param


def test_an_answer_keeps_its_bytes_but_for_the_name() -> None:
    body = b'{"id":"modr-1", "model":"up","results":[{"flagged":false}]}'
    assert read(body).body == body.replace(b'"up"', b'"m"')
    assert read(body).usage is None


def test_a_server_that_does_count_is_believed() -> None:
    body = b'{"results":[{}],"usage":{"prompt_tokens":5,"completion_tokens":0}}'
    assert read(body).usage == [("input", "", 5), ("output", "", 0)]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"results":[]}', b'{"results":[{}],"error":"No."}', b"\xff"]
)
def test_a_success_without_results_is_none(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read(body)
