"""Tokens are counted by upstreams that can, else estimated; nothing is paid for it."""

import json

import pytest

from gateway.errors import InvalidRequestError, UpstreamError
from gateway.protocols.anthropic_messages import counting
from gateway.protocols.canonical import Text
from gateway.protocols.exchange import Wish

BODY = b'{"model":"m","messages":[{"role":"user","content":"Hello you"}],"new":{"a":1.10}}'


def test_a_request_to_count_needs_no_limit_of_its_output() -> None:
    request = counting.decode(BODY)
    assert (request.model, request.stream, request.max_output_tokens) == ("m", False, None)
    assert request.call().messages[0].items == (Text("Hello you"),)
    assert request.call().max_output_tokens is None


def test_it_goes_on_as_it_came_under_the_upstreams_name_and_without_parameters() -> None:
    exchange = counting.decode(BODY).exchange("anthropic", "m")
    sent = exchange.body(Wish("up", {"temperature": 1}, 7))
    assert json.loads(sent) == {**json.loads(BODY), "model": "up"}
    assert b'"new":{"a":1.10}' in sent


@pytest.mark.parametrize(("protocol", "can_ask"), [("anthropic", True), ("openai", False)])
def test_only_an_upstream_of_the_dialect_can_count(protocol: str, *, can_ask: bool) -> None:
    exchange = counting.decode(BODY).exchange(protocol, "m")
    assert isinstance(exchange, counting.CountExchange)
    assert exchange.can_ask is can_ask
    assert counting.decode(BODY).speaks(protocol)


def test_a_count_passes_as_it_came_and_costs_nothing() -> None:
    body = b'{"input_tokens": 14, "context_management": {}}'
    read = counting.decode(BODY).exchange("anthropic", "m").read(body)
    assert (read.body, read.usage) == (body, [])


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<html>", b'{"input_tokens":"many"}', b'{"x":"\xff"}', b"[1]"]
)
def test_a_success_without_a_count_is_none(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        counting.decode(BODY).exchange("anthropic", "m").read(body)


def test_an_estimate_is_written_like_a_count() -> None:
    request = counting.decode(BODY)
    read = request.estimated()
    assert json.loads(read.body) == {"input_tokens": request.prompt_tokens}
    assert request.prompt_tokens >= 3
    assert read.usage == []


def test_system_and_tools_count_as_prompt() -> None:
    plain = counting.decode(BODY).prompt_tokens
    fields = json.loads(BODY)
    tools = [{"name": "f", "description": "long " * 100, "input_schema": {"type": "object"}}]
    for added in ({"system": "long " * 100}, {"tools": tools}):
        body = json.dumps({**fields, **added}).encode()
        assert counting.decode(body).prompt_tokens >= plain + 125


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_what_is_missing_is_named(missing: str) -> None:
    fields = {name: value for name, value in json.loads(BODY).items() if name != missing}
    with pytest.raises(InvalidRequestError) as caught:
        counting.decode(json.dumps(fields).encode())
    assert caught.value.param == missing
