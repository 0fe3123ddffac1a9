"""Conversations stay where their beginning is cached, and move only when they must."""

from collections import Counter

import pytest

from gateway import clock
from gateway.catalog import Offer, Target
from gateway.routing import Router
from gateway.routing.health import DOWN_SECONDS, FAILURES, LocalHealth
from gateway.routing.order import rendezvous
from tests.unit.routing.offers import offer_of, target_of

CONVERSATIONS = [f"conversation {n}" for n in range(5_000)]


def model(**weights: int) -> Offer:
    return offer_of(*(target_of(name, weight=weight) for name, weight in weights.items()))


def names(order: list[tuple[int, Target]]) -> list[str]:
    return [target.backend_id for _, target in order]


def homes(offer: Offer) -> dict[str, str]:
    router = Router("")
    return {it: names(router.order(offer, None, affinity=it))[0] for it in CONVERSATIONS}


@pytest.mark.parametrize(
    "weights", [{"a": 1, "b": 1}, {"a": 20, "b": 20, "c": 15}, {"a": 90, "b": 9, "c": 1}]
)
def test_backends_get_their_shares_of_the_conversations(weights: dict[str, int]) -> None:
    counted = Counter(homes(model(**weights)).values())
    for name, weight in weights.items():
        share = weight / sum(weights.values())
        assert counted[name] / len(CONVERSATIONS) == pytest.approx(share, abs=0.03), name


def test_round_robin_shares_conversations_evenly_whatever_the_weights() -> None:
    targets = [target_of("a", weight=50), target_of("b", weight=1)]
    counted = Counter(homes(offer_of(*targets, load_balancing="round_robin")).values())
    assert counted["a"] / len(CONVERSATIONS) == pytest.approx(0.5, abs=0.03)


def test_a_conversation_always_has_the_same_order_in_every_process() -> None:
    offer = model(a=3, b=2, c=1)
    for conversation in CONVERSATIONS[:100]:
        orders = [Router("").order(offer, None, affinity=conversation) for _ in range(3)]
        assert orders[0] == orders[1] == orders[2]
    assert rendezvous("x", {"a": 1, "b": 1, "c": 1}) == rendezvous("x", {"c": 1, "b": 1, "a": 1})


def test_other_calls_in_between_move_no_conversation() -> None:
    router, offer = Router(""), model(a=1, b=1)
    before = [names(router.order(offer, None, affinity=it)) for it in CONVERSATIONS[:50]]
    for _ in range(7):
        router.order(offer, None)
    assert before == [names(router.order(offer, None, affinity=it)) for it in CONVERSATIONS[:50]]


def test_a_backend_that_goes_takes_only_its_own_conversations_along() -> None:
    before, after = homes(model(a=2, b=2, c=1)), homes(model(a=2, b=2))
    moved = [it for it in CONVERSATIONS if before[it] != after[it]]
    assert moved == [it for it in CONVERSATIONS if before[it] == "c"]
    counted = Counter(after[it] for it in moved)
    assert counted["a"] / len(moved) == pytest.approx(0.5, abs=0.06), "and they spread"


def test_a_backend_that_comes_takes_conversations_from_all_and_moves_no_others() -> None:
    before, after = homes(model(a=1, b=1)), homes(model(a=1, b=1, c=1))
    moved = [it for it in CONVERSATIONS if before[it] != after[it]]
    assert {after[it] for it in moved} == {"c"}
    assert len(moved) / len(CONVERSATIONS) == pytest.approx(1 / 3, abs=0.03)


def test_the_second_choice_is_where_a_conversation_moves_to() -> None:
    both, router = model(a=1, b=1, c=1), Router("")
    for conversation in CONVERSATIONS[:200]:
        first, second, _ = names(router.order(both, None, affinity=conversation))
        rest = offer_of(*(target for target in both.targets if target.backend_id != first))
        assert names(router.order(rest, None, affinity=conversation))[0] == second


def test_a_conversation_stays_with_one_key_of_its_backend_too() -> None:
    keys = [target_of("a", provider_key_id=k, key_weight=w) for k, w in (("k1", 3), ("k2", 1))]
    router, offer = Router(""), offer_of(*keys)
    chosen = [router.order(offer, None, affinity=it)[0][1].provider_key_id for it in CONVERSATIONS]
    again = [router.order(offer, None, affinity=it)[0][1].provider_key_id for it in CONVERSATIONS]
    assert chosen == again
    assert chosen.count("k1") / len(chosen) == pytest.approx(0.75, abs=0.03)


def test_region_priority_and_draining_weigh_more_than_affinity() -> None:
    offer = offer_of(
        target_of("drained", weight=0),
        target_of("far", region="us"),
        target_of("low", region="eu"),
        target_of("high", region="eu", priority=1),
    )
    for conversation in CONVERSATIONS[:20]:
        found = Router("eu").order(offer, None, affinity=conversation)
        assert names(found)[:2] == ["high", "low"]


def test_a_conversation_leaves_a_backend_that_is_down_and_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    router, offer = Router(""), model(a=1, b=1)
    home, other = names(router.order(offer, None, affinity="x"))
    for _ in range(FAILURES):
        router.health.failed(home)
    assert router.order(offer, None, affinity="x")[0][1].backend_id == other
    assert [tier for tier, _ in router.order(offer, None, affinity="x")] == [0, 1]
    now[0] += DOWN_SECONDS
    assert names(router.order(offer, None, affinity="x")) == [home, other]


def test_a_backend_is_down_after_failures_in_a_row_and_for_a_short_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    health = LocalHealth()
    for _ in range(FAILURES - 1):
        health.failed("a")
    assert not health.is_down("a")
    health.succeeded("a")
    health.failed("a")
    assert not health.is_down("a"), "what succeeded in between begins a new row"
    for _ in range(FAILURES):
        health.failed("a")
    assert health.is_down("a")
    assert not health.is_down("b")
    now[0] += DOWN_SECONDS - 0.001
    assert health.is_down("a")
    now[0] += 0.001
    assert not health.is_down("a")
    health.failed("a")
    assert health.is_down("a"), "one more failure is enough"
