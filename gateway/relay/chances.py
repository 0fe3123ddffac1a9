"""Which of the candidates a call would go to: the choice of admission, foretold.

Where turns are taken by weight nobody outside the process knows whose turn is next: then the
shares are told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.admission import Condition, Shut
from gateway.routing import Candidate
from gateway.routing.order import LEAST_BUSY, ROUND_ROBIN


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate as people know it, in the order in which it is tried."""

    backend: str
    provider_key_id: str | None
    model: str  # that serves
    upstream_model: str
    region: str
    tier: int
    weight: int
    key_weight: int
    is_fallback: bool = False
    is_for_long: bool = False
    is_even: bool = False  # turns are taken whatever the weights
    link_id: str = ""
    load: float = 0.0  # of the backend, with this call, by weight
    problem: str | None = None  # why it is not asked now
    remark: str | None = None
    share: float | None = None  # of the calls that come now; 1: it is the next
    provider_key: str | None = None  # its name


def is_usable(option: Option) -> bool:
    return option.problem is None


def options_of(
    candidates: Sequence[Candidate],
    problems: Mapping[int, str],
    conditions: Mapping[int, Condition],
) -> list[Option]:
    """``problems`` and ``conditions`` by the identity of candidates."""
    return [
        _option(candidate, problems.get(id(candidate)), conditions.get(id(candidate)))
        for candidate in candidates
    ]


def _option(candidate: Candidate, problem: str | None, condition: Condition | None) -> Option:
    target = candidate.target
    remark = None
    open_slots = 0
    if condition is not None:
        problem = problem or problem_of(condition, target.slots)
        remark = None if problem else _remark(condition)
        open_slots = condition.open_slots
    return Option(
        backend=target.backend_slug,
        provider_key_id=target.provider_key_id,
        model=candidate.offer.slug,
        upstream_model=target.upstream_model,
        region=target.region,
        tier=candidate.tier,
        weight=target.weight,
        key_weight=target.key_weight,
        is_fallback=candidate.is_fallback,
        is_for_long=candidate.is_for_long,
        is_even=candidate.offer.load_balancing == ROUND_ROBIN,
        link_id=target.link_id,
        load=(open_slots + 1) / max(target.weight, 0.001),
        problem=problem,
        remark=remark,
    )


def problem_of(condition: Condition, slots: int) -> str | None:
    """What stands against a candidate now."""
    shut = {
        "the model there": condition.link,
        "the backend": condition.backend,
        "the key": condition.provider_key,
    }
    found = [_shut(what, how) for what, how in shut.items() if how is not None and how.left_ms > 0]
    if slots and condition.open_slots >= slots:
        found.append(f"all {slots} slots are taken")
    return "; ".join(found) or None


def _shut(what: str, how: Shut) -> str:
    seconds = -(-how.left_ms // 1000)
    if how.by == "breaker":
        return f"the breaker of {what} is open, a probe in {seconds} s"
    return f"{what} cools down for {seconds} s"


def _remark(condition: Condition) -> str | None:
    """A breaker whose time is over lets one call through."""
    parts = (condition.link, condition.backend, condition.provider_key)
    return "the next call is its probe" if any(part is not None for part in parts) else None


def chances_of(options: list[Option], load_balancing: str, *, is_sticky: bool) -> list[Option]:
    """The options with the shares of those that are next, in the first tier that has any."""
    usable = [option for option in options if is_usable(option)]
    if not usable:
        return options
    rivals = [option for option in usable if option.tier == usable[0].tier]
    if load_balancing == LEAST_BUSY:
        least = min(option.load for option in rivals)
        rivals = [option for option in rivals if option.load == least]
    if is_sticky:
        rivals = rivals[:1]
    shares = {id(option): share for option, share in zip(rivals, shares_of(rivals), strict=True)}
    return [replace(option, share=shares.get(id(option))) for option in options]


def shares_of(rivals: Sequence[Option]) -> list[float]:
    """By the weights of their links, and among those of one link by those of its keys."""
    links = {rival.link_id: 1 if rival.is_even else rival.weight for rival in rivals}
    every = sum(links.values())
    keys = dict.fromkeys(links, 0)
    for rival in rivals:
        keys[rival.link_id] += rival.key_weight
    if not every:  # all of them are drained: always the first
        return [float(place == 0) for place in range(len(rivals))]
    return [
        links[rival.link_id] / every * rival.key_weight / keys[rival.link_id] for rival in rivals
    ]
