"""The end of a call that was not foreseen: still one settlement."""

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.admission.events import HoldInfo, Settlement
from gateway.errors import NoBackendError
from gateway.relay import closing
from gateway.relay.closing import REPORTED, SUCCEEDED, Outcome

PRICES = {("input", ""): 1_000_000}


class Book:
    """Keeps what is settled."""

    def __init__(self) -> None:
        self.settled: list[Settlement] = []

    def settle(self, settlement: Settlement, _: object) -> None:
        self.settled.append(settlement)


def entry(*, is_limited: bool = True) -> Any:  # noqa: ANN401
    hold = HoldInfo(
        version=1,
        reference="req_1",
        started_ms=0,
        user_id="u",
        app_id=None,
        api_key_id="k",
        model_id="m",
        model="m",
        surface="openai",
        operation="chat",
        stream=False,
        held_nanos=50,
        price_version_id="v",
    )
    offer = SimpleNamespace(slug="m", prices=PRICES)
    return SimpleNamespace(
        hold=hold,
        offer=offer,
        is_limited=is_limited,
        is_settled=False,
        attempts=[],
        reports=[],
        call=SimpleNamespace(request=SimpleNamespace(prompt_tokens=3)),
    )


def outcome(*usage: tuple[str, str, int]) -> Outcome:
    return Outcome(SUCCEEDED, 200, list(usage), REPORTED)


def deps() -> Any:  # noqa: ANN401
    return SimpleNamespace(settler=Book())


def test_what_has_no_price_is_left_out_and_the_rest_is_charged() -> None:
    running = deps()
    assert closing.settle(running, entry(), outcome(("input", "", 7), ("output", "", 3))) == 7
    assert running.settler.settled[0].usage == [("input", "", 7)]


def test_a_limited_caller_pays_no_more_than_the_hold() -> None:
    running = deps()
    assert closing.settle(running, entry(), outcome(("input", "", 70))) == 50
    assert running.settler.settled[0].overrun_nanos == 20


def test_an_unlimited_caller_pays_what_was_used() -> None:
    assert closing.settle(deps(), entry(is_limited=False), outcome(("input", "", 70))) == 70


def test_a_call_is_settled_once() -> None:
    running, once = deps(), entry()
    closing.settle(running, once, outcome(("input", "", 7)))
    assert closing.settle(running, once, outcome(("input", "", 7))) == 0
    assert len(running.settler.settled) == 1


@pytest.mark.parametrize("error", [NoBackendError(), RuntimeError("a bug")])
def test_whatever_goes_wrong_the_hold_is_given_back(error: Exception) -> None:
    running = deps()
    with pytest.raises(type(error)), closing.settled_if_it_fails(running, entry()):
        raise error
    [settlement] = running.settler.settled
    assert (settlement.kind, settlement.amount_nanos, settlement.status) == ("release", 0, "failed")
