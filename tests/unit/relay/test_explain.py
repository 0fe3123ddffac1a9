"""An explanation says what the call path would decide: refusals, detours, hold and limits."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway import pricing
from gateway.admission import Choice, Condition, Shut
from gateway.catalog import Catalog, Offer
from gateway.cli.route import Bearings
from gateway.cli.route_request import Question, call_of
from gateway.identity import Caller, PolicyView
from gateway.providers import PROVIDERS
from gateway.relay.call import Call
from gateway.relay.explain import Explanation, Known, explain, hold_of
from gateway.routing import Router
from gateway.settings import Settings
from tests.unit.routing.offers import catalog_of, offer_of, target_of

PRICES = {("input", ""): 1_000_000_000, ("output", ""): 10_000_000_000}
WELL = Condition(None, None, None, 0)
MINUTE = 60_000
PROMPT_TOKENS = 9


def sold(*names: str, slug: str = "m", **fields: Any) -> Offer:  # noqa: ANN401
    offer = offer_of(*(target_of(name) for name in names), slug=slug)
    return dataclasses.replace(offer, prices=PRICES, price_version_id="v", **fields)


def caller_of(**fields: Any) -> Caller:  # noqa: ANN401
    given: dict[str, Any] = {"refusal": None, "model_lists": (), "valid_until": None, **fields}
    policy = PolicyView("p", "default", 1, frozenset("*"), **given.pop("policy", {}))
    return Caller(
        api_key_id="k",
        user_id="u",
        app_id=None,
        revision=1,
        policy=policy,
        role="user",
        allowance_ends_at=None,
        disconnect_policy=None,
        **given,
    )


def call_for(model: str = "m", max_tokens: int | None = 100, region: str | None = None) -> Call:
    return call_of(
        Question(model, "Hello", "openai", stream=False, max_tokens=max_tokens, region=region), None
    )


def told(
    catalog: Catalog,
    caller: Caller | None = None,
    call: Call | None = None,
    conditions: Mapping[str, Condition] | None = None,
    available: Mapping[str, int | None] | None = None,
) -> Explanation:
    async def look(choices: tuple[Choice, ...]) -> list[Condition]:
        return [(conditions or {}).get(choice.backend_id, WELL) for choice in choices]

    bearings = Bearings(Settings(), Router(""), PROVIDERS)
    known = Known(look, available or {"user": None})
    return asyncio.run(explain(bearings, call or call_for(), caller or caller_of(), catalog, known))


def code(explanation: Explanation) -> str | None:
    return explanation.refusal.code if explanation.refusal is not None else None


def test_the_only_backend_is_the_next() -> None:
    found = told(catalog_of(sold("a")))
    assert (found.refusal, found.options[0].backend, found.options[0].share) == (None, "a", 1)


def test_the_hold_is_the_product_that_the_call_path_holds() -> None:
    hold = told(catalog_of(sold("a"))).hold
    assert hold is not None
    assert (hold.prompt_tokens, hold.output_tokens) == (PROMPT_TOKENS, 100)
    assert hold.total_nanos == pricing.upper_bound(PROMPT_TOKENS, 100, 1, PRICES)
    rates = (hold.input_nanos_per_million, hold.output_nanos_per_million)
    assert rates == (PRICES["input", ""], PRICES["output", ""])


def test_a_price_of_the_call_is_told_apart() -> None:
    offer = sold(
        "a",
    )
    prices = {**PRICES, ("call", ""): 5_000_000_000_000}
    hold = hold_of(call_for(), dataclasses.replace(offer, prices=prices), 100)
    assert (hold.call_nanos, hold.output_nanos_per_million) == (5_000_000, PRICES["output", ""])
    parts = PROMPT_TOKENS * PRICES["input", ""] + 100 * PRICES["output", ""]
    assert hold.total_nanos == parts // 1_000_000 + hold.call_nanos


def test_an_unknown_model_is_refused_with_names_like_it() -> None:
    found = told(catalog_of(sold("a", slug="chat-large")), call=call_for("chat-lrge"))
    assert (code(found), found.near_names) == ("model_not_found", ("chat-large",))


def test_a_refusal_of_the_key_is_told_with_what_would_follow() -> None:
    found = told(catalog_of(sold("a")), caller_of(refusal="This API key is disabled."))
    assert code(found) == "invalid_api_key"
    assert [option.backend for option in found.options] == ["a"]


def test_refusals_of_the_model_have_the_codes_of_the_call_path() -> None:
    narrow = caller_of(model_lists=(frozenset(("other",)),))
    assert code(told(catalog_of(sold("a")), narrow)) == "model_not_allowed"
    assert code(told(catalog_of(sold("a", is_sellable=False)))) == "model_not_sellable"
    assert code(told(catalog_of(sold()))) == "no_backend_available"


def test_a_key_outside_its_hours_is_refused() -> None:
    never = caller_of(policy={"time_ranges": (("00:00", "00:00"),)})
    assert code(told(catalog_of(sold("a")), never)) == "outside_time_range"


def test_a_strict_region_leaves_the_others_out() -> None:
    east = offer_of(target_of("a", region="us"), target_of("b", region="eu"))
    offer = dataclasses.replace(sold(), targets=east.targets)
    policy = {"region": "eu", "region_strict": True}
    found = told(catalog_of(offer), caller_of(policy=policy))
    assert ([option.backend for option in found.options], found.region) == (["b"], "eu")
    asked = told(catalog_of(offer), call=call_for(region="us"))
    assert [(option.backend, option.tier) for option in asked.options] == [("a", 0), ("b", 1)]


def test_the_policy_answers_with_its_default() -> None:
    caller = caller_of(model_lists=(frozenset(("small",)),), policy={"default_model": "small"})
    found = told(catalog_of(sold("a"), sold("b", slug="small")), caller)
    assert (found.model, found.is_substituted, code(found)) == ("small", True, None)


def test_forwarding_and_fallbacks_are_told() -> None:
    forward = {"rule": "all", "model": "other"}
    other = sold("b", slug="other", fallback={"models": ["last"]})
    catalog = catalog_of(sold("a", forward=forward), other, sold("c", slug="last"))
    found = told(catalog)
    assert [(step.model, step.target) for step in found.steps] == [("m", "other")]
    assert [(it.backend, it.is_fallback) for it in found.options] == [("b", False), ("c", True)]


def test_what_is_shut_is_passed_over() -> None:
    shut = Condition(None, Shut("breaker", 4_000), None, 0)
    found = told(catalog_of(sold("a", "b")), conditions={"a": shut})
    problems = {option.backend: option.problem for option in found.options}
    shares = {option.backend: option.share for option in found.options}
    assert (problems["b"], shares) == (None, {"a": None, "b": 1})
    assert problems["a"] is not None
    assert code(told(catalog_of(sold("a")), conditions={"a": shut})) == "no_backend_available"


def test_without_redis_health_is_unknown_and_everything_is_told() -> None:
    bearings = Bearings(Settings(), Router(""), PROVIDERS)
    known = Known(None, {"user": None})
    told = explain(bearings, call_for(), caller_of(), catalog_of(sold("a")), known)
    found = asyncio.run(told)
    assert (found.is_health_known, found.refusal, len(found.options)) == (False, None, 1)


def test_a_short_allowance_cuts_the_answer_or_refuses_it() -> None:
    available = {"user": None, "key": 1_000_000}  # of 10 000 nanos per token of the answer
    free = told(catalog_of(sold("a")), call=call_for(max_tokens=None), available=available)
    assert free.hold is not None
    assert (free.hold.is_cut, free.hold.output_tokens, code(free)) == (True, 99, None)
    named = told(catalog_of(sold("a")), call=call_for(max_tokens=4096), available=available)
    assert code(named) == "insufficient_quota"


def test_limits_are_told_with_what_the_call_takes() -> None:
    policy = {
        "rate_limit": 60,
        "token_quota_monthly": 10_000,
        "per_model": {"m": {"tokens_per_minute": 500}},
    }
    found = told(catalog_of(sold("a")), caller_of(policy=policy))
    assert [(limit.what, limit.limit, limit.takes) for limit in found.limits] == [
        ("requests per 60 s", 60, 1),
        ("tokens per 60 s of m", 500, PROMPT_TOKENS + 100),
        ("tokens per month", 10_000, PROMPT_TOKENS + 100),
    ]
    assert code(found) is None


def test_what_a_limit_never_admits_is_refused() -> None:
    found = told(catalog_of(sold("a")), caller_of(policy={"tokens_per_minute": 1}))
    assert code(found) == "rate_limit_exceeded"


def test_an_answer_of_no_named_length_is_made_to_fit_into_the_limits() -> None:
    caller = caller_of(policy={"tokens_per_minute": 50})
    assert code(told(catalog_of(sold("a")), caller, call_for(max_tokens=None))) is None


def test_too_long_a_prompt_leaves_those_with_more_room() -> None:
    large = dataclasses.replace(sold("b", slug="large"), context_window=1_000)
    fallback = {"larger_context": "large"}
    small = dataclasses.replace(sold("a", fallback=fallback), context_window=5)
    found = told(catalog_of(small, large))
    assert [option.problem for option in found.options] == ["too long a prompt", None]
    assert code(told(catalog_of(dataclasses.replace(small, fallback={})))) == (
        "context_length_exceeded"
    )


def test_no_secret_is_in_an_explanation() -> None:
    offer = sold("a")
    targets = tuple(dataclasses.replace(it, secret="sk-hidden") for it in offer.targets)  # noqa: S106
    found = told(catalog_of(dataclasses.replace(offer, targets=targets)))
    assert b"sk-hidden" not in msgspec.json.encode(found)
