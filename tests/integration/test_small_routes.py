"""Completions, moderations, models and billing through a running gateway."""

import datetime as dt
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.integration.people import add_person
from tests.stack import Stack
from tests.stack.books import wait_for_settled
from tests.stack.of_module import stack_of_module
from tests.stack.stack import KEY

INPUT_NANOS, OUTPUT_NANOS = 1_000, 10_000  # one token at the prices of the stack
MODERATION = {"type": "moderation", "upstream": "sim-moderation"}
VERSION = {"anthropic-version": "2023-06-01"}
MODELS: dict[str, dict[str, Any]] = {
    "chat": {"aliases": ["talk"], "name": "Chat"},
    "embed": {"type": "embedding"},
    "gpt-*": {},
    "broken": {"upstream": "sim-chat-n5-midfinish3"},
    "usageless": {"upstream": "sim-chat-n5-nousage"},
    "unstreamed": {"upstream": "sim-chat-n5-jsonstream"},
    "omni-moderation-latest": {**MODERATION, "prices": {"call": "7000"}},
    "by-tokens": {**MODERATION, "prices": {"input": "1"}},
    "unpriced-moderation": {**MODERATION, "prices": {}},
}
# A pattern has no name of its own, and what has no price cannot be called.
UNLISTED = {"gpt-*", "unpriced-moderation"}


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template, models=MODELS) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Generator[openai.OpenAI]:
    with stack.openai() as opened:
        yield opened


@pytest.fixture
def http(stack: Stack) -> Generator[httpx.Client]:
    with stack.http() as opened:
        yield opened


def test_a_completion_answers_and_is_charged_exactly(stack: Stack, client: openai.OpenAI) -> None:
    raw = client.completions.with_raw_response.create(model="chat", prompt="hello", max_tokens=50)
    answer = raw.parse()
    assert answer.choices[0].text
    assert (answer.object, answer.model) == ("text_completion", "chat")
    assert answer.usage is not None
    record, entry = wait_for_settled(stack, raw.headers["x-sluice-request"])
    assert (record.operation, record.status, entry.basis) == (
        "completions",
        "succeeded",
        "reported",
    )
    usage = answer.usage
    assert record.charge_nanos == (
        usage.prompt_tokens * INPUT_NANOS + usage.completion_tokens * OUTPUT_NANOS
    )


def test_the_vendors_limit_holds_where_the_client_names_none(
    stack: Stack, client: openai.OpenAI
) -> None:
    client.completions.create(model="gpt-anything", prompt="a mark of its own 4711")
    (sent,) = [e["body"] for e in stack.simulator.journal() if "4711" in str(e["body"])]
    assert (sent["model"], sent["max_tokens"]) == ("sim-chat", 16)


def test_a_completion_is_streamed_with_its_usage_if_that_is_wanted(
    stack: Stack, client: openai.OpenAI
) -> None:
    cases: list[dict[str, Any]] = [{}, {"stream_options": {"include_usage": True}}]
    for options in cases:
        with client.completions.with_streaming_response.create(
            model="chat", prompt=["hello", "you"], stream=True, max_tokens=40, **options
        ) as response:
            chunks = list(response.parse())
        assert {chunk.model for chunk in chunks} == {"chat"}
        assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}
        assert "".join(choice.text for chunk in chunks for choice in chunk.choices)
        assert (chunks[-1].usage is not None) == bool(options)
        record, _ = wait_for_settled(stack, response.headers["x-sluice-request"])
        assert (record.status, record.basis, record.stream) == ("succeeded", "reported", True)


def test_a_stream_without_usage_is_charged_by_estimate(stack: Stack, http: httpx.Client) -> None:
    body = {"model": "usageless", "prompt": "hello", "stream": True, "max_tokens": 40}
    answer = http.post("/v1/completions", json=body)
    assert answer.text.endswith("data: [DONE]\n\n")
    record, _ = wait_for_settled(stack, answer.headers["x-sluice-request"])
    assert record.basis == "estimated"
    assert record.charge_nanos > 2 * INPUT_NANOS


def test_an_upstream_that_does_not_stream_is_streamed_all_the_same(
    stack: Stack, http: httpx.Client
) -> None:
    body = {"model": "unstreamed", "prompt": "hello", "stream": True, "max_tokens": 40}
    answer = http.post("/v1/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("data: ") == 2  # the text; then the end
    assert answer.text.endswith("data: [DONE]\n\n")
    record, _ = wait_for_settled(stack, answer.headers["x-sluice-request"])
    assert (record.status, record.basis) == ("succeeded", "reported")


def test_a_stream_that_breaks_off_does_not_look_like_success(
    stack: Stack, http: httpx.Client
) -> None:
    body = {"model": "broken", "prompt": "hello", "stream": True, "max_tokens": 40}
    answer = http.post("/v1/completions", json=body)
    assert "[DONE]" not in answer.text
    assert '"code":"upstream_interrupted"' in answer.text
    record, _ = wait_for_settled(stack, answer.headers["x-sluice-request"])
    assert record.status == "interrupted"


def test_text_is_judged_for_the_price_of_a_call(stack: Stack, client: openai.OpenAI) -> None:
    raw = client.moderations.with_raw_response.create(input=["fine", "flag:violence"])
    answer = raw.parse()
    assert [result.flagged for result in answer.results] == [False, True]
    assert answer.model == "omni-moderation-latest"
    record, entry = wait_for_settled(stack, raw.headers["x-sluice-request"])
    assert (record.operation, entry.basis) == ("moderations", "estimated")
    assert record.charge_nanos == 7_000_000
    assert float(raw.headers["x-sluice-cost-usd"]) == 0.007
    assert stack.simulator.journal(model="sim-moderation")
    assert '"usage_without_price"' not in stack.apis[0].log.read_text()


def test_text_and_images_are_judged_for_what_they_are_estimated_at(
    stack: Stack, client: openai.OpenAI
) -> None:
    parts: Any = [
        {"type": "text", "text": "abcdefgh"},
        {"type": "image_url", "image_url": {"url": "https://images.example/a.png"}},
    ]
    raw = client.moderations.with_raw_response.create(model="by-tokens", input=parts)
    assert raw.parse().model == "by-tokens"
    record, _ = wait_for_settled(stack, raw.headers["x-sluice-request"])
    assert record.charge_nanos == 1_602 * INPUT_NANOS


def test_moderation_needs_a_price_and_a_model_of_its_type(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as unpriced:
        client.moderations.create(model="unpriced-moderation", input="x")
    assert unpriced.value.code == "model_not_sellable"
    with pytest.raises(openai.BadRequestError) as chat:
        client.moderations.create(model="chat", input="x")
    assert chat.value.param == "model"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/dashboard/models"])
def test_models_are_listed_without_patterns(http: httpx.Client, method: str, path: str) -> None:
    listed = http.request(method, path).json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == sorted(set(MODELS) - UNLISTED)
    (chat,) = [model for model in listed["data"] if model["id"] == "chat"]
    assert (chat["object"], chat["display_name"]) == ("model", "Chat")
    assert "fastapi" not in chat


def test_a_model_is_found_by_name_alias_and_pattern(http: httpx.Client) -> None:
    for name, found in (("chat", "chat"), ("talk", "chat"), ("gpt-99", "gpt-99")):
        assert http.get(f"/v1/models/{name}").json()["id"] == found
    assert http.get("/v1/models/nope").json()["error"]["code"] == "model_not_found"


def test_managers_see_where_models_are_served(stack: Stack) -> None:
    with add_person(stack, "boss", role="manager") as boss:
        for answer in (
            boss.get("/v1/models?is_fastapi=true"),
            boss.post("/v1/models", json={"is_fastapi": True}),
            boss.post("/v1/models", data={"is_fastapi": "true"}),
        ):
            served = {model["id"]: model["fastapi"] for model in answer.json()["data"]}
            url = stack.simulator.openai_url
            assert served["chat"]["base_url"] == url
            assert served["chat"]["path"].endswith("/chat/completions")
            assert served["omni-moderation-latest"]["path"].endswith("/moderations")
            assert served["chat"]["prices"] == {"input": "1.00", "output": "10.00"}
            assert served["chat"]["base_urls"][0]["backend"] == "sim"
            assert "sk-upstream" not in answer.text


def test_who_does_not_ask_for_more_gets_the_list(http: httpx.Client) -> None:
    listed = http.get("/v1/models").json()
    assert http.get("/v1/models?is_fastapi=false").json() == listed
    assert http.post("/v1/models", json={"is_fastapi": False, "page": 1}).json() == listed
    assert http.post("/v1/models", data={"page": "1"}).json() == listed


def test_what_is_asked_of_the_list_must_be_readable(http: httpx.Client) -> None:
    assert http.post("/v1/models", content=b"{").status_code == 400
    assert http.post("/v1/models", json={"is_fastapi": "maybe"}).status_code == 400
    assert http.get("/v1/models?limit=0", headers=VERSION).status_code == 400


def test_the_other_vendors_package_walks_through_the_models(stack: Stack) -> None:
    with anthropic.Anthropic(base_url=stack.url, api_key=KEY, max_retries=0) as client:
        walked = list(client.models.list(limit=2))
        assert [model.id for model in walked] == sorted(set(MODELS) - UNLISTED)
        chat = client.models.retrieve("talk")
        assert (chat.id, chat.type, chat.display_name) == ("chat", "model", "Chat")
        assert chat.created_at.tzinfo == dt.UTC
        with pytest.raises(anthropic.NotFoundError) as missing:
            client.models.retrieve("nope")
        assert missing.value.request_id
        page: Any = client.models.list(limit=2, before_id=walked[3].id)
        assert [model.id for model in page.data] == [walked[1].id, walked[2].id]
        assert page.has_more


def spend(client: httpx.Client) -> int:
    """Nanos that one call cost."""
    body = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
    answer = client.post("/v1/chat/completions", json=body)
    return round(float(answer.headers["x-sluice-cost-usd"]) * 10**9)


def numbers(client: httpx.Client, prefix: str = "/v1") -> tuple[float, int]:
    """Limit in US dollars, and nanos used."""
    subscription = client.get(f"{prefix}/billing/subscription").json()
    assert subscription["object"] == "billing_subscription"
    assert subscription["has_payment_method"] is True
    limits = {subscription[f"{kind}_limit_usd"] for kind in ("soft", "hard", "system_hard")}
    (limit,) = limits
    usage = client.post(f"{prefix}/billing/usage").json()
    assert usage["object"] == "list"
    return limit, round(usage["total_usage"] * 10**7)


@pytest.mark.parametrize(
    ("name", "key", "app", "limit"),
    [
        ("of-key", {"limit_usd": "3", "app": "a"}, {"limit_usd": "20"}, 3),
        ("of-app", {"app": "a"}, {"limit_usd": "20"}, 20),
        ("of-user", {"app": "a"}, {}, 100),
        ("appless", {}, {}, 100),
    ],
)
def test_the_balance_is_that_of_the_closest_limit(
    stack: Stack, name: str, key: dict[str, Any], app: dict[str, Any], limit: float
) -> None:
    apps = [{"name": "a", **app}]
    with add_person(stack, name, key=key, apps=apps) as client:
        assert numbers(client) == (limit, 0)
        spent = spend(client)
        # Nothing of it stands in the ledger yet.
        assert numbers(client) == (limit, spent)
        assert numbers(client, "/v1/dashboard") == numbers(client)
        stack.drain()
        assert numbers(client) == (limit, spent)


def test_an_empty_key_shows_its_own_balance(stack: Stack) -> None:
    with add_person(stack, "empty", key={"limit_usd": "0"}) as client:
        assert numbers(client) == (0, 0)


def test_who_has_no_limit_is_shown_a_very_high_one(stack: Stack) -> None:
    with add_person(stack, "rich", limit_usd=None) as client:
        spent = spend(client)
        stack.wait_for(lambda: bool(stack.drain()) or numbers(client)[1] > 0)
        assert numbers(client) == (100_000_000, spent)
        assert client.get("/v1/billing/subscription").json()["access_until"] == 0


def test_an_expired_allowance_can_still_be_looked_at(stack: Stack) -> None:
    expired = {"expires_at": "2020-01-01T00:00:00Z"}
    with add_person(stack, "past", key=expired) as client:
        subscription = client.get("/v1/billing/subscription")
        assert subscription.status_code == 200
        assert subscription.json()["access_until"] == 1_577_836_800
