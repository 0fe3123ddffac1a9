"""The order of targets: exact shares, interleaved, regions first, drained backends last."""

from collections import Counter
from typing import Any

import pytest

from gateway.catalog import Offer, Target
from gateway.routing import Router


def target_of(name: str, **fields: Any) -> Target:  # noqa: ANN401
    given: dict[str, Any] = {"weight": 1, "region": "", "provider_key_id": "k", **fields}
    return Target(
        link_id=name,
        backend_id=name,
        backend_slug=name,
        adapter="openai",
        auth_style="bearer",
        base_url="",
        path_templates={},
        api_version=None,
        headers={},
        upstream_model="m",
        slots=0,
        limits={},
        **given,
    )


def offer_of(*targets: Target, load_balancing: str = "weighted") -> Offer:
    return Offer(
        model_id="m",
        slug="m",
        type="chat",
        created=0,
        load_balancing=load_balancing,
        context_window=None,
        max_output_tokens=None,
        parameters={},
        headers={},
        output_field="max_tokens",
        limits={},
        disconnect_policy=None,
        price_version_id=None,
        prices={},
        is_sellable=True,
        targets=targets,
    )


def firsts(offer: Offer, calls: int, router: Router | None = None) -> list[str]:
    chosen = router or Router("")
    return [chosen.order(offer, None)[0].backend_id for _ in range(calls)]


def test_no_target_and_one_target_need_no_choice() -> None:
    assert Router("").order(offer_of(), None) == []
    alone = target_of("a")
    assert Router("").order(offer_of(alone), None) == [alone]


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
    order = Router("").order(offer_of(*targets), None)
    assert sorted(map(id, order)) == sorted(map(id, targets))
    assert {order[0].backend_id, order[1].backend_id} == {"a", "b"}


def test_keys_of_one_backend_share_its_calls_by_their_weights() -> None:
    targets = [target_of("a", provider_key_id=k, key_weight=w) for k, w in (("k1", 3), ("k2", 1))]
    router, offer = Router(""), offer_of(*targets)
    used = Counter(router.order(offer, None)[0].provider_key_id for _ in range(40))
    assert used == {"k1": 30, "k2": 10}


def test_the_wanted_region_goes_first_and_alone_if_strict() -> None:
    offer = offer_of(target_of("far", region="us", weight=99), target_of("near", region="eu"))
    router = Router("eu")
    assert [t.backend_id for t in router.order(offer, None)] == ["near", "far"]
    assert [t.backend_id for t in router.order(offer, "us")] == ["far", "near"]
    assert [t.backend_id for t in router.order(offer, "eu", is_strict=True)] == ["near"]
    assert router.order(offer, "asia", is_strict=True) == []
    assert router.order(offer_of(target_of("far", region="us")), "eu", is_strict=True) == []


def test_a_drained_backend_is_the_last_resort() -> None:
    offer = offer_of(target_of("drained", weight=0), target_of("a"), target_of("b"))
    for _ in range(10):
        assert Router("").order(offer, None)[-1].backend_id == "drained"
