"""What follows a failed attempt, case by case, and whatever happens within the budget."""

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    Blame,
    UpstreamContentPolicyError,
    UpstreamContextLengthError,
    UpstreamError,
    UpstreamInterruptedError,
    UpstreamRateLimitedError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
)
from gateway.routing.retries import Move, Situation, next_move

SAME, OTHER, FALLBACK, LARGER, STOP = Move.SAME, Move.OTHER, Move.FALLBACK, Move.LARGER, Move.STOP

# Where one can still go: to nobody, to a fallback model, to another backend, to both.
NOWHERE = {"has_others": False, "has_fallbacks": False}
MODEL = {"has_others": False, "has_fallbacks": True}
BACKEND = {"has_others": True, "has_fallbacks": False}
BOTH = {"has_others": True, "has_fallbacks": True}
PLACES = (NOWHERE, MODEL, BACKEND, BOTH)


def failed(status: int | None = None, blame: Blame = Blame.BACKEND) -> UpstreamError:
    return UpstreamError(upstream_status=status, blame=blame)


def limited(seconds: float | None = None) -> UpstreamError:
    error = UpstreamRateLimitedError(blame=Blame.KEY, upstream_status=429)
    error.retry_after_seconds = seconds
    return error


def callers(kind: type[UpstreamError]) -> UpstreamError:
    return kind(blame=Blame.CALLER, upstream_status=400)


def situation(error: UpstreamError, **fields: Any) -> Situation:  # noqa: ANN401
    given: dict[str, Any] = {"tries_left": 2, "tries_here": 1, **NOWHERE, **fields}
    return Situation(error, **given)


def move(error: UpstreamError, **fields: Any) -> Move:  # noqa: ANN401
    return next_move(situation(error, **fields), 0.5)[0]


ONCE_MORE = [failed(500), failed(502), failed(504)]
ELSEWHERE = [
    *(failed(status) for status in (501, 503, 520, 529)),
    *(failed(status, Blame.KEY) for status in (401, 402, 403)),
    failed(404, Blame.MODEL),
    failed(None, Blame.KEY),
    UpstreamTimeoutError(),
    UpstreamTimeoutError(upstream_status=504),
]
NO_CONNECTION = [failed(None), UpstreamInterruptedError()]


@pytest.mark.parametrize("error", ONCE_MORE, ids=lambda e: str(e.upstream_status))
def test_a_broken_answer_is_asked_for_once_more_at_once_and_then_elsewhere(
    error: UpstreamError,
) -> None:
    for place in PLACES:
        for jitter in (0.0, 0.5, 1.0):
            chosen, wait = next_move(situation(error, **place), jitter)
            assert chosen is SAME
            assert 0 <= wait <= 0.05
    again = [move(error, tries_here=2, tries_left=3, **place) for place in PLACES]
    assert again == [STOP, FALLBACK, OTHER, OTHER]


@pytest.mark.parametrize("error", ELSEWHERE, ids=repr)
def test_what_will_not_pass_by_itself_is_tried_elsewhere_at_once(error: UpstreamError) -> None:
    for here in (1, 2):
        found = [next_move(situation(error, tries_here=here, **place), 1.0) for place in PLACES]
        alone = (SAME, 0.75) if is_busy(error) and here == 1 else (STOP, 0.0)
        assert found == [alone, (FALLBACK, 0.0), (OTHER, 0.0), (OTHER, 0.0)]


def is_busy(error: UpstreamError) -> bool:
    """Overloaded for a moment, perhaps."""
    return error.upstream_status in {503, 529}


def test_who_is_busy_for_long_is_not_waited_for_even_if_there_is_nobody_else() -> None:
    error = UpstreamError(upstream_status=503)
    error.retry_after_seconds = 2.0
    assert next_move(situation(error), 0.0) == (SAME, 2.0)
    error.retry_after_seconds = 9.0
    assert next_move(situation(error), 0.0) == (STOP, 0.0)


@pytest.mark.parametrize("error", NO_CONNECTION, ids=repr)
def test_who_does_not_answer_properly_is_asked_again_only_if_there_is_nobody_else(
    error: UpstreamError,
) -> None:
    assert [move(error, **place) for place in PLACES] == [SAME, FALLBACK, OTHER, OTHER]
    assert move(error, tries_here=2) is STOP


@pytest.mark.parametrize("seconds", [None, 0.0, 0.5, 3.0, 3.1, 60.0])
def test_who_is_limited_is_left_for_another_backend_at_once(seconds: float | None) -> None:
    for place in (BACKEND, BOTH):
        assert next_move(situation(limited(seconds), **place), 1.0) == (OTHER, 0.0)


@pytest.mark.parametrize("place", [NOWHERE, MODEL])
@pytest.mark.parametrize("seconds", [0.0, 0.2, 1.0, 3.0])
def test_a_time_that_was_named_is_waited_for(seconds: float, place: dict[str, bool]) -> None:
    for jitter in (0.0, 1.0):
        chosen = next_move(situation(limited(seconds), **place), jitter)
        assert chosen == (SAME, seconds), "never before the time is up"


@pytest.mark.parametrize("seconds", [3.001, 20.0, 3600.0])
def test_nobody_waits_for_longer_than_three_seconds(seconds: float) -> None:
    assert next_move(situation(limited(seconds), **MODEL), 0.0) == (FALLBACK, 0.0)
    assert next_move(situation(limited(seconds)), 0.0) == (STOP, 0.0)


@pytest.mark.parametrize(("here", "least", "most"), [(1, 0.5, 0.75), (2, 1.0, 1.5)])
@given(jitter=st.floats(0, 1))
def test_without_a_time_the_pause_doubles_and_jitters(
    here: int, least: float, most: float, jitter: float
) -> None:
    now = situation(limited(), tries_here=here, tries_left=9)
    chosen, wait = next_move(now, jitter)
    assert chosen is SAME
    assert least <= wait <= most
    assert next_move(now, 0.0)[1] == least
    assert next_move(now, 1.0)[1] == most


@pytest.mark.parametrize("seconds", [None, 0.1])
def test_nobody_is_asked_a_fourth_time(seconds: float | None) -> None:
    assert move(limited(seconds), tries_here=3, tries_left=9) is STOP
    assert move(limited(seconds), tries_here=3, tries_left=9, **MODEL) is FALLBACK


@pytest.mark.parametrize("kind", [UpstreamRejectedError, UpstreamContentPolicyError])
def test_what_the_caller_did_wrong_stays_wrong_everywhere(kind: type[UpstreamError]) -> None:
    assert {move(callers(kind), **place) for place in PLACES} == {STOP}


def test_a_refused_content_is_tried_elsewhere_where_that_is_wanted() -> None:
    error = callers(UpstreamContentPolicyError)
    found = [move(error, is_policy_retried=True, **place) for place in PLACES]
    assert found == [STOP, FALLBACK, OTHER, OTHER]
    assert move(error, is_policy_retried=True, tries_left=0, **BOTH) is STOP
    assert move(callers(UpstreamRejectedError), is_policy_retried=True, **BOTH) is STOP


def test_a_prompt_that_is_too_long_goes_to_models_with_more_room_alone() -> None:
    error = callers(UpstreamContextLengthError)
    assert {next_move(situation(error, **place), 1.0) for place in PLACES} == {(LARGER, 0.0)}


FAILURES = [*ONCE_MORE, *ELSEWHERE, *NO_CONNECTION, limited(), limited(0.1), limited(60)]


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_a_spent_budget_ends_it_and_the_last_try_is_kept_for_a_fallback_model(
    error: UpstreamError,
) -> None:
    for place in PLACES:
        assert next_move(situation(error, tries_left=0, **place), 1.0) == (STOP, 0.0)
    for place in (MODEL, BOTH):
        assert next_move(situation(error, tries_left=1, **place), 1.0) == (FALLBACK, 0.0)


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    is_fallback: bool


@dataclass(slots=True)
class Run:
    """One call whose every attempt fails, as the relay goes about it."""

    rest: list[Place]
    left: int
    tried: list[Place] = dataclasses.field(default_factory=list)
    waits: list[float] = dataclasses.field(default_factory=list)
    here: int = 0

    def fail(self, error: UpstreamError, jitter: float) -> bool:
        """Whether another attempt follows."""
        current = self.tried[-1]
        self.rest = [place for place in self.rest if place is not current]
        others = [place for place in self.rest if not place.is_fallback]
        fallbacks = [place for place in self.rest if place.is_fallback]
        self.here = self.here + 1 if self.tried[-2:-1] == [current] else 1
        now = Situation(error, self.left, self.here, bool(others), bool(fallbacks))
        chosen, wait = next_move(now, jitter)
        following = {SAME: [current], OTHER: others, FALLBACK: fallbacks}.get(chosen, [])
        if not following:
            assert chosen is STOP, "what is decided can be done"
            return False
        self.left -= 1
        self.waits.append(wait)
        self.tried.append(following[0])
        return True


@given(
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 6),
    st.lists(st.tuples(st.sampled_from(FAILURES), st.floats(0, 1)), min_size=20, max_size=20),
)
def test_whatever_fails_the_budget_holds_and_a_fallback_model_gets_its_try(
    others: int, fallbacks: int, budget: int, failures: list[tuple[UpstreamError, float]]
) -> None:
    first = Place("first", is_fallback=False)
    rest = [Place(f"other {n}", is_fallback=False) for n in range(others)]
    rest += [Place(f"fallback {n}", is_fallback=True) for n in range(fallbacks)]
    run = Run([first, *rest], budget, [first])
    for error, jitter in failures:
        if not run.fail(error, jitter):
            break
    assert len(run.tried) <= 1 + budget
    assert max(Counter(run.tried).values()) <= 3
    assert all(0 <= wait <= 3 for wait in run.waits)
    if fallbacks and budget:
        assert any(place.is_fallback for place in run.tried)


def test_limited_every_time_means_three_tries_over_one_and_a_half_seconds_at_least() -> None:
    only = Place("only", is_fallback=False)
    run = Run([only], 9, [only])
    while run.fail(limited(), 0.0):
        pass
    assert run.tried == [only] * 3
    assert run.waits == [0.5, 1.0]
