"""Models of both protocols for the official SDKs, and what their tests ask and compare."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import pytest

from models import LedgerEntry, RequestRecord
from tests.stack import Stack
from tests.stack.books import wait_for_settled
from tests.stack.of_module import stack_of_module
from tests.stack.stack import KEY, model_of

PROTOCOLS = ("openai", "anthropic")
# The protocol of the upstream; that of the client is the SDK's.
both = pytest.mark.parametrize("protocol", PROTOCOLS)
whole_or_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
ANSWER = (
    'You said: "hello". This is the demo upstream answering: no model was asked, and the same'
    " question always gets the same words."
)
# Of one token, by dimension, at the prices of the models made here.
NANOS = {"input": 1_000, "cached": 100, "written": 1_250, "output": 10_000}
PRICES = {"input": "1", "cached_input": "0.1", "cache_write": "1.25", "output": "10"}

TOOL_NAMES = ("get_weather", "get_time")
CALL_BOTH: list[Any] = [{"role": "user", "content": "call:get_weather,get_time"}]
TOOL_INPUT = {"city": "demo city", "days": 1}
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
PDF = "JVBERi0xLjQKJSBub3RoaW5nIGVsc2UK"
IMAGE_URL = "https://images.example.com/one.png"


@contextmanager
def stack_of_pairs(
    sqlite_template: Path,
    upstreams: Mapping[str, str],
    **fields: Any,  # noqa: ANN401 -- of each model
) -> Generator[Stack]:
    """A gateway with two models for each name: ``openai-NAME`` and ``anthropic-NAME``."""
    with stack_of_module(sqlite_template) as running:
        add_pairs(running, upstreams, **fields)
        yield running


def add_pairs(
    stack: Stack,
    upstreams: Mapping[str, str],
    **fields: Any,  # noqa: ANN401 -- of each model
) -> None:
    """``upstreams``: names, each with its upstream model; all backends are separate."""
    addresses = {"openai": stack.simulator.openai_url, "anthropic": stack.simulator.anthropic_url}
    providers, models = [], []
    for protocol, address in addresses.items():
        for name, upstream in upstreams.items():
            slug = f"{protocol}-{name}"
            backend = {"slug": slug, "base_url": address}
            key = {"name": "k", "secret": secret_of(protocol, name)}
            provider = {"code": slug, "name": slug, "adapter": protocol}
            providers.append({**provider, "backends": [backend], "keys": [key]})
            link = {"backend": slug, "upstream_model": upstream}
            models.append(model_of(slug, {"prices": PRICES, "backends": [link], **fields}))
    stack.apply({"providers": providers, "models": models})


def secret_of(protocol: str, name: str) -> str:
    return f"sk-upstream-{protocol}-{name}"


def open_anthropic(
    stack: Stack,
    key: str = KEY,
    **options: Any,  # noqa: ANN401
) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=key, base_url=stack.url, **{"max_retries": 0, **options})


def sent(stack: Stack) -> dict[str, Any]:
    """The last request that reached an upstream."""
    return stack.simulator.journal()[-1]


def add_caller(
    stack: Stack,
    name: str,
    policy: Mapping[str, Any] | None = None,
    **user: Any,  # noqa: ANN401
) -> str:
    """The key of a new user with a policy of his own."""
    secret = f"llm-{name}-" + "0123456789abcdef" * 3
    policies = [{"models": ["*"], **(policy or {}), "name": name}]
    keys = [{"name": name, "key": secret}]
    fields = {"email": f"{name}@example.com", "policy": name, "limit_usd": "100", **user}
    stack.apply({"policies": policies, "users": [{**fields, "keys": keys}]})
    return secret


def assert_charged(stack: Stack, reference: str, **tokens: int) -> RequestRecord:
    """The record and the charge of a call that was served; ``tokens`` as in ``NANOS``."""
    record, entry = wait_for_settled(stack, reference)
    assert (record.status, record.http_status, record.error_code) == ("succeeded", 200, None)
    assert (record.basis, entry.kind) == ("reported", "charge")
    assert record.charge_nanos == sum(NANOS[name] * count for name, count in tokens.items())
    return record


def assert_free(stack: Stack, reference: str | None) -> tuple[RequestRecord, LedgerEntry]:
    """The record of a call that was not served, which cost nothing."""
    assert reference is not None
    record, entry = wait_for_settled(stack, reference)
    assert (record.charge_nanos, entry.kind, entry.amount_nanos) == (0, "release", 0)
    return record, entry
