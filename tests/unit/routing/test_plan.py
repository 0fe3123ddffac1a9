"""Everything that may answer a call: tiers, fallbacks and the names under which they answer."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.catalog import Catalog
from gateway.protocols.canonical import Call, Message, Role, Text
from gateway.routing import Plan, Router, Wanted, plan
from gateway.routing.health import FAILURES
from gateway.routing.plan import MOST_FALLBACKS
from tests.unit.routing.offers import catalog_of, offer_of, target_of

Read = Callable[[], Call | None]


def poem() -> Call:
    return Call(model="m", messages=(Message(Role.USER, (Text("a poem"),)),))


def made(
    catalog: Catalog,
    name: str,
    *,
    read: Read = poem,
    router: Router | None = None,
    **wishes: Any,  # noqa: ANN401
) -> Plan:
    offer = catalog.find(name)
    assert offer is not None
    return plan(router or Router(""), catalog, Wanted(offer, name, read, **wishes))


def backends(found: Plan) -> list[tuple[str, int]]:
    return [(it.target.backend_id, it.tier) for it in found.candidates]


def answers(found: Plan) -> list[tuple[str, str, bool]]:
    """Who serves, under which name, and whether instead of another."""
    return [(it.offer.slug, it.name, it.is_fallback) for it in found.candidates]


def to(model: str) -> dict[str, Any]:
    return {"rule": "all", "model": model}


def served(slug: str, **fields: Any) -> Any:  # noqa: ANN401
    """A model with one backend that is called like it."""
    return offer_of(target_of(f"at-{slug}"), slug=slug, **fields)


def test_a_model_with_one_backend_is_a_plan_of_one() -> None:
    found = made(catalog_of(served("m")), "m")
    assert backends(found) == [("at-m", 0)]
    assert answers(found) == [("m", "m", False)]
    assert found.steps == []


def test_what_nobody_serves_has_no_candidate() -> None:
    assert made(catalog_of(offer_of(slug="m")), "m").candidates == []


def test_candidates_of_one_priority_region_and_state_are_of_one_tier() -> None:
    targets = [target_of(name) for name in "abc"]
    found = made(catalog_of(offer_of(*targets)), "m")
    assert {tier for _, tier in backends(found)} == {0}
    assert sorted(name for name, _ in backends(found)) == ["a", "b", "c"]


def test_tiers_go_by_region_then_drained_then_priority() -> None:
    targets = [
        target_of("far", region="us", priority=9),
        target_of("far drained", region="us", weight=0, priority=99),
        target_of("near drained", region="eu", weight=0, priority=99),
        target_of("near low", region="eu"),
        target_of("near high", region="eu", priority=5),
        target_of("near high too", region="eu", priority=5),
    ]
    found = made(catalog_of(offer_of(*targets)), "m", region="eu")
    assert sorted(backends(found), key=lambda it: (it[1], it[0])) == [
        ("near high", 0),
        ("near high too", 0),
        ("near low", 1),
        ("near drained", 2),
        ("far", 3),
        ("far drained", 4),
    ]
    assert [tier for _, tier in backends(found)] == [0, 0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("own", "wanted", "first"), [("eu", None, "near"), ("eu", "us", "far"), ("", "us", "far")]
)
def test_the_calls_region_wins_over_the_gateways(own: str, wanted: str | None, first: str) -> None:
    catalog = catalog_of(offer_of(target_of("near", region="eu"), target_of("far", region="us")))
    found = made(catalog, "m", router=Router(own), region=wanted)
    assert backends(found)[0] == (first, 0)
    assert len(backends(found)) == 2


def test_without_any_region_all_are_equal() -> None:
    catalog = catalog_of(offer_of(target_of("a", region="eu"), target_of("b", region="us")))
    assert {tier for _, tier in backends(made(catalog, "m"))} == {0}


def test_a_strict_region_shuts_the_others_out_fallback_models_too() -> None:
    model = offer_of(
        target_of("near", region="eu"),
        target_of("far", region="us"),
        fallback={"models": ["there", "here"]},
    )
    there = offer_of(target_of("far too", region="us"), slug="there")
    here = offer_of(target_of("near too", region="eu"), slug="here")
    found = made(catalog_of(model, there, here), "m", region="eu", is_region_strict=True)
    assert [name for name, _ in backends(found)] == ["near", "near too"]


def test_a_backend_that_failed_here_comes_after_its_like_and_before_lesser_ones() -> None:
    router = Router("")
    offer = offer_of(
        target_of("down", priority=1), target_of("up", priority=1), target_of("lesser")
    )
    for _ in range(FAILURES):
        router.health.failed("down")
    found = made(catalog_of(offer), "m", router=router)
    assert backends(found) == [("up", 0), ("down", 1), ("lesser", 2)]
    router.health.succeeded("down")
    assert {tier for _, tier in backends(made(catalog_of(offer), "m", router=router))} == {0, 1}


def test_a_forward_answers_under_the_name_that_was_asked_for() -> None:
    found = made(catalog_of(served("a", forward=to("b")), served("b")), "a")
    assert answers(found) == [("b", "a", False)]
    assert backends(found) == [("at-b", 0)]
    assert [(step.model, step.target) for step in found.steps] == [("a", "b")]


def test_an_alias_that_was_asked_for_is_the_name_of_the_answer() -> None:
    found = made(catalog_of(served("a"), aliases={"nick": "a"}), "nick")
    assert answers(found) == [("a", "nick", False)]


def test_a_fallback_backend_is_the_last_of_its_model_and_keeps_its_name() -> None:
    spare = target_of("spare")
    model = offer_of(
        target_of("a"),
        target_of("drained", weight=0),
        fallback={"backend": "spare", "model": "b"},
        fallback_targets=(spare,),
    )
    found = made(catalog_of(model, served("b")), "m")
    assert backends(found) == [("a", 0), ("drained", 1), ("spare", 2), ("at-b", 3)]
    assert answers(found)[2] == ("m", "m", False)


def test_a_fallback_backend_that_serves_already_is_not_tried_twice() -> None:
    both = target_of("a", provider_key_id="k2")
    model = offer_of(target_of("a"), fallback={"backend": "a"}, fallback_targets=(both,))
    assert len(made(catalog_of(model), "m").candidates) == 2, "another key is another chance"
    model = offer_of(target_of("a"), fallback={"backend": "a"}, fallback_targets=(target_of("a"),))
    assert len(made(catalog_of(model), "m").candidates) == 1


def test_a_fallback_backend_alone_serves_a_model_that_has_no_other() -> None:
    model = offer_of(fallback={"backend": "a"}, fallback_targets=(target_of("a"),))
    assert backends(made(catalog_of(model), "m")) == [("a", 0)]


def test_fallback_models_come_in_their_order_and_answer_under_their_own_names() -> None:
    model = served("m", fallback={"model": "b", "models": ["c", "d"]})
    found = made(catalog_of(model, *map(served, "bcd")), "m")
    assert answers(found) == [
        ("m", "m", False),
        ("b", "b", True),
        ("c", "c", True),
        ("d", "d", True),
    ]
    assert [tier for _, tier in backends(found)] == [0, 1, 2, 3]


def test_a_fallback_that_is_forwarded_answers_under_the_fallbacks_name() -> None:
    catalog = catalog_of(served("m", fallback={"model": "b"}), served("b", forward=to("c")))
    found = made(catalog_of(*catalog.offers.values(), served("c")), "m")
    assert answers(found) == [("m", "m", False), ("c", "b", True)]


def test_the_fallbacks_are_those_of_the_model_that_serves() -> None:
    asked = served("a", forward=to("b"), fallback={"model": "x"})
    found = made(catalog_of(asked, served("b", fallback={"model": "c"}), *map(served, "cx")), "a")
    assert answers(found) == [("b", "a", False), ("c", "c", True)]


def test_fallbacks_of_fallbacks_come_after_all_of_the_first() -> None:
    model = served("m", fallback={"models": ["b", "c"]})
    others = [served("b", fallback={"model": "d"}), served("c", fallback={"model": "e"})]
    found = made(catalog_of(model, *others, *map(served, "de")), "m")
    assert [slug for slug, *_ in answers(found)] == ["m", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    "fallbacks",
    [
        {"m": ["m"]},
        {"m": ["b"], "b": ["m"]},
        {"m": ["b"], "b": ["c"], "c": ["b", "m", "c"]},
        {"m": ["b", "b", "nick"], "b": ["nick"]},
    ],
)
def test_no_model_comes_twice(fallbacks: dict[str, list[str]]) -> None:
    offers = [served(name, fallback={"models": named}) for name, named in fallbacks.items()]
    found = made(catalog_of(*offers, aliases={"nick": "b"}), "m")
    slugs = [slug for slug, *_ in answers(found)]
    assert slugs == list(fallbacks)


def test_what_was_forwarded_does_not_come_back_as_its_own_fallback() -> None:
    found = made(
        catalog_of(served("a", forward=to("b")), served("b", fallback={"model": "a"})), "a"
    )
    assert answers(found) == [("b", "a", False)]


def test_a_fallback_that_is_forwarded_to_what_is_there_adds_nothing() -> None:
    catalog = catalog_of(served("m", fallback={"model": "b"}), served("b", forward=to("m")))
    assert backends(made(catalog, "m")) == [("at-m", 0)]


def test_there_are_not_more_fallbacks_than_anybody_could_try() -> None:
    names = [f"f{n}" for n in range(9)]
    model = served("m", fallback={"models": names})
    found = made(catalog_of(model, *map(served, names)), "m")
    assert [slug for slug, *_ in answers(found)] == ["m", *names[:MOST_FALLBACKS]]


def test_a_missing_fallback_is_left_out() -> None:
    model = served("m", fallback={"models": ["gone", "b"]})
    assert [slug for slug, *_ in answers(made(catalog_of(model, served("b")), "m"))] == ["m", "b"]


def test_a_model_with_more_room_is_only_for_what_is_too_long() -> None:
    model = served("m", fallback={"model": "b", "larger_context": "long"})
    found = made(catalog_of(model, *map(served, ["b", "long"])), "m")
    marked = [(it.name, it.is_fallback, it.is_for_long) for it in found.candidates]
    assert marked == [("m", False, False), ("b", True, False), ("long", True, True)]


def test_a_pattern_is_served_under_the_name_that_was_asked_for() -> None:
    pattern = offer_of(target_of("any", upstream_model=""), slug="vendor/*")
    found = made(catalog_of(pattern), "vendor/new-model")
    assert [it.target.upstream_model for it in found.candidates] == ["vendor/new-model"]
    assert answers(found) == [("vendor/*", "vendor/new-model", False)]
    assert pattern.targets[0].upstream_model == ""


def test_what_is_no_chat_is_planned_without_its_text() -> None:
    rule = {"rule": "length", "at_least": 1, "model": "b"}
    model = served("m", forward=rule, fallback={"model": "c"})
    found = made(catalog_of(model, served("b"), served("c", forward=to("b"))), "m", read=_nothing)
    assert answers(found) == [("m", "m", False), ("b", "c", True)]


def _nothing() -> Call | None:
    return None
