"""Both adapters over real connections: every operation is answered, every failure understood."""

import asyncio
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import (
    Blame,
    UpstreamContentPolicyError,
    UpstreamContextLengthError,
    UpstreamError,
    UpstreamRateLimitedError,
    UpstreamRejectedError,
)
from gateway.providers import PROVIDERS
from gateway.transport import Limits, Transport
from tests.unit.providers.target import FakeTarget
from tests.upstream.client import Simulator

PATIENT = Limits(connect=5, read=20)
KEY = "sk-upstream"
MESSAGES = {"messages": [{"role": "user", "content": "hi"}]}
ASKED: dict[str, dict[str, Any]] = {"chat": {**MESSAGES, "max_tokens": 9}, "count_tokens": MESSAGES}
ASKED |= {"completions": {"prompt": "hi"}, "embeddings": {"input": "hi"}}
ASKED |= {"moderations": {"input": "hi"}, "models": {}}
BASES = [
    ("openai", ""),
    ("openai", "/v1"),
    ("openai", "/proxy"),
    ("anthropic", ""),
    ("anthropic", "/v1"),
    ("anthropic", "/anthropic"),
]
OPERATIONS = {
    "openai": ("chat", "completions", "embeddings", "moderations", "models"),
    "anthropic": ("chat", "count_tokens", "models"),
}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Generator[Simulator]:
    with Simulator.start(Path(tmp_path_factory.mktemp("adapters"))) as running:
        yield running


async def answered(adapter: str, operation: str, base_url: str, model: str) -> Any:  # noqa: ANN401
    """The answer, or what the adapter makes of its failure."""
    provider = PROVIDERS[adapter]
    target = FakeTarget(base_url, provider.auth_style, upstream_model=model, secret=KEY)
    asked = {"model": model, **ASKED[operation]}
    body = json.dumps(asked).encode() if operation != "models" else b""
    transport = Transport(max_connections=4)
    await transport.open()
    try:
        response = await transport.send(provider.build(operation, target, body, {}), PATIENT)
        answer = await response.read(1_000_000)
        if response.status < 300:
            return json.loads(answer)
        return provider.classify(response.status, response.headers, answer, KEY)
    finally:
        await transport.close()


@pytest.mark.parametrize(("adapter", "base"), BASES)
def test_every_operation_is_answered_below_every_kind_of_base_url(
    simulator: Simulator, adapter: str, base: str
) -> None:
    for operation in OPERATIONS[adapter]:
        url = simulator.base_url + base
        answer = asyncio.run(answered(adapter, operation, url, "sim-chat"))
        assert isinstance(answer, dict), (operation, answer)


@pytest.mark.parametrize("adapter", PROVIDERS)
@pytest.mark.parametrize(
    ("model", "kind", "blame"),
    [
        ("sim-chat-ctx", UpstreamContextLengthError, Blame.CALLER),
        ("sim-chat-policy", UpstreamContentPolicyError, Blame.CALLER),
        ("sim-chat-quota", UpstreamError, Blame.KEY),
        ("sim-chat-e400", UpstreamRejectedError, Blame.CALLER),
        ("sim-chat-e401", UpstreamError, Blame.KEY),
        ("sim-chat-e403", UpstreamError, Blame.KEY),
        ("sim-chat-e404", UpstreamError, Blame.MODEL),
        ("sim-chat-e429-ra7", UpstreamRateLimitedError, Blame.KEY),
        ("sim-chat-e500", UpstreamError, Blame.BACKEND),
        ("sim-chat-e529", UpstreamError, Blame.BACKEND),
    ],
)
def test_every_failure_is_understood(
    simulator: Simulator, adapter: str, model: str, kind: type[UpstreamError], blame: Blame
) -> None:
    error = asyncio.run(answered(adapter, "chat", simulator.base_url, model))

    assert (type(error), error.blame) == (kind, blame)
    if kind is UpstreamRateLimitedError:
        assert error.retry_after_seconds == 7
