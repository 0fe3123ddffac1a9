"""How ``sluice route`` tells people what it found."""

from collections.abc import Iterator
from dataclasses import dataclass

import click

from gateway import money
from gateway.cli import output
from gateway.relay.chances import Option
from gateway.relay.explain import Explanation, Hold
from gateway.relay.left_out import LeftOut


@dataclass(frozen=True, slots=True)
class Route:
    """An explanation with what only the database knows."""

    key: str
    user: str
    told: Explanation
    price_version: int | None
    left_out: list[LeftOut]
    addresses_are_limited: bool
    when_redis_is_down: str
    is_disabled: bool  # the model is there and not offered


def show(found: Route) -> None:
    for line in lines_of(found):
        click.echo(line)
    told = found.told
    if told.options:
        click.echo()
        output.print_table(
            ("", "backend", "key", "model", "sent as", "region", "tier", "share", "now"),
            [_row(number, option, told) for number, option in enumerate(told.options, 1)],
        )
    if found.left_out:
        click.echo()
        rows = [(left.backend, left.provider_key, left.reason) for left in found.left_out]
        output.print_table(("never asked", "key", "why"), rows)
    if told.limits:
        click.echo()
        rows = [(it.what, _amount(it.limit, it), _amount(it.takes, it)) for it in told.limits]
        output.print_table((f"limit of {told.policy}", "is", "this call"), rows)


def lines_of(found: Route) -> Iterator[str]:
    """What is decided, why, and what it costs."""
    told = found.told
    yield _verdict(told)
    if told.near_names:
        yield f"Names like it: {', '.join(told.near_names)}."
    if found.is_disabled:
        yield f"The model {told.asked} is there, but disabled: `sluice models enable {told.asked}`."
    yield from _reasons(told)
    if not told.is_health_known and told.options:
        does = "refuses" if found.when_redis_is_down == "refuse" else "serves without limits"
        yield f"Redis is away or empty: health is unknown, and the gateway {does} meanwhile."
    if found.addresses_are_limited:
        yield f"The key {found.key} may only be used from some addresses, which was not checked."
    if told.hold is not None:
        yield from _costs(told.hold, found.price_version)
        yield f"Left: {'; '.join(_allowances(told))}."


def _verdict(told: Explanation) -> str:
    if told.refusal is not None:
        refusal = told.refusal
        return f"Refused with {refusal.status} {refusal.code}: {refusal.message}"
    chances = [option for option in told.options if option.share]
    if len(chances) == 1:
        return f"Goes to {_place(chances[0])}{_by_name(told, chances[0])}."
    places = ", ".join(f"{_place(option)} ({_percent(option.share)})" for option in chances)
    return f"Goes to one of these by turns: {places}."


def _place(option: Option) -> str:
    key = option.provider_key or option.provider_key_id
    return f"{option.backend} with the key {key}" if key else f"{option.backend} without a key"


def _by_name(told: Explanation, option: Option) -> str:
    return "" if option.model == told.asked else f", served by {option.model}"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"


def _reasons(told: Explanation) -> Iterator[str]:
    if told.is_substituted:
        yield f"The policy {told.policy} answers {told.asked} with its default, {told.model}."
    elif told.model is not None and told.model != told.asked:
        yield f"{told.asked} is sold as {told.model}."
    for step in told.steps:
        yield f"{step.model} is forwarded to {step.target}: {step.reason}."
    if told.region:
        how = "no other may answer" if told.is_region_strict else "others only after it"
        yield f"Region {told.region}; {how}."
    if told.is_sticky:
        yield "The conversation stays with one backend and key, for the sake of its prompt cache."
    elif told.load_balancing == "least_busy" and told.options:
        yield "Within a tier the least busy is asked."


def _costs(hold: Hold, price_version: int | None) -> Iterator[str]:
    prompt = f"{hold.prompt_tokens} prompt tokens (estimated)"
    terms = [f"{prompt} x {_usd(hold.input_nanos_per_million)}"]
    if hold.output_tokens:
        terms.append(f"{_output(hold)} x {_usd(hold.output_nanos_per_million)}")
    call = f" + {_usd(hold.call_nanos)} per call" if hold.call_nanos else ""
    yield f"Holds at most {_usd(hold.total_nanos)} USD, by price version {price_version}:"
    yield f"  ({' + '.join(terms)}) USD per million{call}"
    if hold.is_cut:
        yield "The answer is cut where the rest of the allowance ends."


def _output(hold: Hold) -> str:
    if hold.choices == 1:
        return f"{hold.output_tokens} output tokens"
    return f"{hold.choices} times {hold.output_tokens} output tokens"


def _allowances(told: Explanation) -> Iterator[str]:
    for level, nanos in told.available_nanos.items():
        left = "unlimited" if nanos is None else f"{_usd(nanos)} USD"
        yield f"{level} {left}"


def _usd(nanos: int) -> str:
    return money.format_usd(nanos)


def _row(number: int, option: Option, told: Explanation) -> tuple[object, ...]:
    return (
        number,
        option.backend,
        option.provider_key or option.provider_key_id,
        option.model,
        option.upstream_model,
        option.region or None,
        option.tier,
        _percent(option.share),
        _now(option, told),
    )


def _now(option: Option, told: Explanation) -> str:
    if option.problem is not None:
        return option.problem
    state = "usable" if told.is_health_known else "unknown"
    role = "fallback" if option.is_fallback else None
    role = "for what is too long for the others" if option.is_for_long else role
    return "; ".join(part for part in (state, role, option.remark) if part)


def _amount(value: int, limit: object) -> str:
    return f"{_usd(value)} USD" if getattr(limit, "is_nanos", False) else str(value)
