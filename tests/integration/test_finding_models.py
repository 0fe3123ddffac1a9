"""Names that clients ask for and what serves them: aliases, patterns, forward rules, regions."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models import RequestRecord
from tests.stack import Stack
from tests.stack.books import wait_for_settled
from tests.stack.of_module import stack_of_module

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    models: dict[str, Any] = {
        "plain": {"upstream": "sim-plain", "aliases": ["known.as", "known-*"]},
        "family-*": {"upstream": "", "prices": {"input": "3", "output": "30"}},
        "family-small-*": {"upstream": "sim-small"},
        "cheap": {"prices": {"input": "0.1", "output": "0.1"}, "upstream": "sim-cheap"},
        "all": {"forward": {"rule": "all", "model": "plain"}, "backends": []},
        "chained": {"forward": {"rule": "all", "model": "all"}},
        "round": {"forward": {"rule": "all", "model": "robin"}, "upstream": "sim-round"},
        "robin": {"forward": {"rule": "all", "model": "round"}, "upstream": "sim-robin"},
        "worded": {
            "forward": {
                "rule": "keyword",
                "keywords": [
                    {"pattern": "write (a )?poem", "model": "plain"},
                    {"pattern": "^sum", "model": "cheap"},
                ],
            },
            "upstream": "sim-worded",
        },
        "long": {
            "forward": {"rule": "length", "at_least": 50, "model": "cheap"},
            "upstream": "sim-long",
        },
    }
    with stack_of_module(sqlite_template, models=models) as running:
        yield running


def ask(stack: Stack, model: str, text: str = "hi", **more: Any) -> httpx.Response:  # noqa: ANN401
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    with stack.http() as client:
        return client.post(CHAT, json=body)


def served_by(stack: Stack, answer: httpx.Response) -> str:
    """The upstream's name of the model, from its own records."""
    assert answer.status_code == 200, answer.text
    stack.simulator.wait_idle()
    return str(stack.simulator.journal()[-1]["model"])


def record_of(stack: Stack, answer: httpx.Response) -> RequestRecord:
    return wait_for_settled(stack, answer.headers["x-sluice-request"])[0]


@pytest.mark.parametrize(
    ("asked", "served", "sold"),
    [
        ("plain", "sim-plain", "plain"),
        ("known.as", "sim-plain", "plain"),
        ("known-by-many", "sim-plain", "plain"),
        ("family-large", "family-large", "family-*"),
        ("family-small-2", "sim-small", "family-small-*"),
    ],
)
def test_aliases_and_patterns(stack: Stack, asked: str, served: str, sold: str) -> None:
    answer = ask(stack, asked)
    assert served_by(stack, answer) == served
    assert answer.json()["model"] == asked
    assert answer.headers["x-sluice-model"] == record_of(stack, answer).model == sold


@pytest.mark.parametrize(
    ("asked", "text", "served"),
    [
        ("all", "hi", "sim-plain"),
        ("chained", "hi", "sim-plain"),
        ("round", "hi", "sim-robin"),
        ("worded", "Please WRITE a\n  poem", "sim-plain"),
        ("worded", "sum 1 and 2", "sim-cheap"),
        ("worded", "what is the sum", "sim-worded"),
        ("long", "x" * 49, "sim-long"),
        ("long", "x" * 50, "sim-cheap"),
        ("long", "é" * 25, "sim-cheap"),
    ],
)
def test_forward_rules(stack: Stack, asked: str, text: str, served: str) -> None:
    answer = ask(stack, asked, text)
    assert served_by(stack, answer) == served
    assert answer.json()["model"] == asked


def test_the_price_is_that_of_the_model_that_was_asked_for(stack: Stack) -> None:
    answer = ask(stack, "long", "x" * 100)
    record, usage = record_of(stack, answer), answer.json()["usage"]
    assert (record.model, record.answered_model) == ("long", "cheap")
    expected = usage["prompt_tokens"] * 1_000 + usage["completion_tokens"] * 10_000
    assert record.charge_nanos == expected


def test_what_the_last_message_says_counts_and_nothing_before_it(stack: Stack) -> None:
    messages = [
        {"role": "user", "content": "write a poem"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": [{"type": "text", "text": "then do not"}]},
    ]
    assert served_by(stack, ask(stack, "worded", messages=messages)) == "sim-worded"


@pytest.mark.parametrize("name", ["unknown", "family", "Plain", "known"])
def test_names_that_nothing_fits_are_unknown(stack: Stack, name: str) -> None:
    answer = ask(stack, name)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def test_the_region_that_the_client_wants_is_asked_first(stack: Stack) -> None:
    for region in ("eu", "us"):
        backend = {"slug": region, "region": region, "base_url": stack.simulator.openai_url}
        keys = [{"name": "k", "secret": f"sk-upstream-{region}"}]
        provider = {"code": region, "name": region, "adapter": "openai"}
        stack.apply({"providers": [{**provider, "backends": [backend], "keys": keys}]})
    links = [{"backend": r, "upstream_model": f"sim-{r}"} for r in ("eu", "us")]
    stack.add_model("everywhere", backends=links)
    body = {"model": "everywhere", "messages": [{"role": "user", "content": "hi"}]}
    with stack.http() as client:
        for region in ("us", "eu", "us", "us"):
            answer = client.post(CHAT, json=body, headers={"x-gateway-region": region})
            assert served_by(stack, answer) == f"sim-{region}"
