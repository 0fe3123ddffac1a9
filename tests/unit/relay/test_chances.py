"""Which candidate is next: told as shares where turns are taken, as one where it is certain."""

from typing import Any

import pytest

from gateway.admission import Condition, Shut
from gateway.relay.chances import Option, chances_of, options_of, problem_of
from gateway.routing import Candidate
from tests.unit.routing.offers import offer_of, target_of

WELL = Condition(None, None, None, 0)


def option(backend: str, key: str = "k", weight: int = 1, **fields: Any) -> Option:  # noqa: ANN401
    given: dict[str, Any] = {"tier": 0, "key_weight": 1, "link_id": backend, **fields}
    return Option(
        backend=backend,
        provider_key_id=key,
        model="m",
        upstream_model="m",
        region="",
        weight=weight,
        **given,
    )


def shares(options: list[Option], how: str = "weighted", *, is_sticky: bool = False) -> list[Any]:
    told = chances_of(options, how, is_sticky=is_sticky)
    return [None if it.share is None else round(it.share, 3) for it in told]


def test_the_shares_are_those_of_the_links_and_in_them_of_the_keys() -> None:
    options = [
        option("a", "k1", 3, key_weight=1),
        option("b", "k2", 1, key_weight=5),
        option("a", "k3", 3, key_weight=2),
    ]
    assert shares(options) == [0.25, 0.25, 0.5]


def test_turns_are_even_whatever_the_weights() -> None:
    options = [option("a", weight=9, is_even=True), option("b", is_even=True)]
    assert shares(options) == [0.5, 0.5]


def test_only_the_first_tier_that_has_any_is_next() -> None:
    options = [option("a", problem="down"), option("b", tier=1), option("c", tier=2)]
    assert shares(options) == [None, 1, None]


def test_what_is_not_usable_leaves_its_share_to_the_others() -> None:
    options = [option("a", weight=8), option("b", problem="down"), option("c", weight=2)]
    assert shares(options) == [0.8, None, 0.2]


def test_a_conversation_goes_to_the_first_that_is_usable() -> None:
    options = [option("a", problem="down"), option("b"), option("c")]
    assert shares(options, is_sticky=True) == [None, 1, None]


def test_the_least_busy_is_next_and_those_as_busy_share() -> None:
    options = [option("a", load=2), option("b", load=1), option("c", load=1)]
    assert shares(options, "least_busy") == [None, 0.5, 0.5]
    assert shares(options, "least_busy", is_sticky=True) == [None, 1, None]


def test_drained_backends_alone_are_asked_in_their_order() -> None:
    assert shares([option("a", weight=0), option("b", weight=0)]) == [1, 0]


def test_with_nothing_usable_there_are_no_shares() -> None:
    assert shares([option("a", problem="down")]) == [None]


@pytest.mark.parametrize(
    ("condition", "slots", "problem"),
    [
        (WELL, 0, None),
        (WELL, 1, None),
        (Condition(None, None, None, 1), 1, "all 1 slots are taken"),
        (
            Condition(None, Shut("breaker", 1_200), None, 0),
            0,
            "the breaker of the backend is open, a probe in 2 s",
        ),
        (Condition(None, None, Shut("cool-down", 999), 0), 0, "the key cools down for 1 s"),
        (
            Condition(Shut("cool-down", 60_000), None, None, 2),
            2,
            "the model there cools down for 60 s; all 2 slots are taken",
        ),
    ],
)
def test_what_stands_against_a_candidate_is_said(
    condition: Condition, slots: int, problem: str | None
) -> None:
    assert problem_of(condition, slots) == problem


def test_a_breaker_whose_time_is_over_is_usable_and_said_to_probe() -> None:
    candidate = Candidate(target_of("a"), offer_of(), "m")
    half_open = Condition(None, Shut("breaker", 0), None, 0)
    [found] = options_of([candidate], {}, {id(candidate): half_open})
    assert (found.problem, found.remark) == (None, "the next call is its probe")


def test_what_does_not_fit_stays_so_whatever_its_health() -> None:
    candidate = Candidate(target_of("a"), offer_of(), "m")
    [found] = options_of([candidate], {id(candidate): "too long"}, {id(candidate): WELL})
    assert found.problem == "too long"
