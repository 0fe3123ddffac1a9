"""The order of targets: exact shares, interleaved, regions first, drained backends last."""

from collections import Counter

import pytest

from gateway.catalog import Offer, Target
from gateway.routing import Router
from tests.unit.routing.offers import offer_of, target_of


def ordered(router: Router, offer: Offer, region: str | None = None) -> list[Target]:
    return [target for _, target in router.order(offer, region)]


def firsts(offer: Offer, calls: int, router: Router | None = None) -> list[str]:
    chosen = router or Router("")
    return [ordered(chosen, offer)[0].backend_id for _ in range(calls)]


def test_no_target_and_one_target_need_no_choice() -> None:
    assert Router("").order(offer_of(), None) == []
    alone = target_of("a")
    assert Router("").order(offer_of(alone), None) == [(0, alone)]


def test_weights_are_exact_shares() -> None:
    offer = offer_of(*(target_of(n, weight=w) for n, w in (("a", 20), ("b", 20), ("c", 15))))
    assert Counter(firsts(offer, 55)) == {"a": 20, "b": 20, "c": 15}


def test_shares_are_interleaved() -> None:
    offer = offer_of(target_of("a", weight=5), target_of("b"), target_of("c"))
    assert "".join(firsts(offer, 7)) == "aabacaa"


@pytest.mark.parametrize("mode", ["round_robin"])
def test_round_robin_takes_turns_whatever_the_weights(mode: str) -> None:
    offer = offer_of(target_of("a", weight=9), target_of("b"), load_balancing=mode)
    assert Counter(firsts(offer, 10)) == {"a": 5, "b": 5}


def test_every_target_is_tried_once_and_another_backend_before_another_key() -> None:
    targets = [target_of(n, provider_key_id=k) for n in "ab" for k in ("k1", "k2")]
    order = ordered(Router(""), offer_of(*targets))
    assert sorted(map(id, order)) == sorted(map(id, targets))
    assert {order[0].backend_id, order[1].backend_id} == {"a", "b"}


def test_keys_of_one_backend_share_its_calls_by_their_weights() -> None:
    targets = [target_of("a", provider_key_id=k, key_weight=w) for k, w in (("k1", 3), ("k2", 1))]
    router, offer = Router(""), offer_of(*targets)
    used = Counter(ordered(router, offer)[0].provider_key_id for _ in range(40))
    assert used == {"k1": 30, "k2": 10}


def test_the_wanted_region_goes_first_and_alone_if_strict() -> None:
    offer = offer_of(target_of("far", region="us", weight=99), target_of("near", region="eu"))
    router = Router("eu")
    assert [t.backend_id for t in ordered(router, offer)] == ["near", "far"]
    assert [t.backend_id for t in ordered(router, offer, "us")] == ["far", "near"]
    assert [t.backend_id for _, t in router.order(offer, "eu", is_strict=True)] == ["near"]
    assert router.order(offer, "asia", is_strict=True) == []
    assert router.order(offer_of(target_of("far", region="us")), "eu", is_strict=True) == []


def test_a_drained_backend_is_the_last_resort() -> None:
    offer = offer_of(target_of("drained", weight=0), target_of("a"), target_of("b"))
    for _ in range(10):
        assert ordered(Router(""), offer)[-1].backend_id == "drained"
