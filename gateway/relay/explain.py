"""Why a call would go where it goes: the decisions of the call path, told instead of taken."""

import dataclasses
import difflib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from gateway import pricing
from gateway.admission import Choice, Condition, Meter
from gateway.admission.limits import limit_error
from gateway.catalog import Catalog, Offer
from gateway.errors import (
    ContextLengthError,
    GatewayError,
    InsufficientQuotaError,
    NoBackendError,
)
from gateway.identity import Caller
from gateway.pricing.cost import UNITS as PRICED_UNITS
from gateway.relay.call import Call
from gateway.relay.chances import Option, chances_of, is_usable, options_of
from gateway.relay.draft import amount_of, choices_of, limits_of
from gateway.relay.entry import (
    WITHOUT_OUTPUT,
    Bearings,
    affinity_of,
    affordable,
    can_answer,
    fitting,
    offer_for,
    output_limit_of,
    plan_of,
    region_of,
)
from gateway.relay.refusals import model_refusal_of, refusal_of
from gateway.routing import Candidate, Plan
from gateway.routing.forwarding import Step

NEAR_NAMES = 3
NEAR_ENOUGH = 0.5

Look = Callable[[tuple[Choice, ...]], Awaitable[list[Condition]]]


@dataclass(frozen=True, slots=True)
class Known:
    """What only the running gateway knows."""

    look: Look | None  # None: Redis cannot be asked
    # By level of the allowances; None is unlimited.
    available_nanos: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Hold:
    """What a call costs at most: both numbers of tokens times their prices, and the call's own."""

    prompt_tokens: int  # estimated
    output_tokens: int  # the bound
    choices: int
    input_nanos_per_million: int
    output_nanos_per_million: int
    call_nanos: int
    total_nanos: int
    price_version_id: str | None
    is_cut: bool = False  # the answer is as long as the rest of the allowance pays for


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the policy, and what this call takes of it at most."""

    what: str
    limit: int
    takes: int
    is_nanos: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Explanation:
    asked: str
    model: str | None = None  # as which it is paid
    policy: str = ""
    is_substituted: bool = False  # by the policy's default model
    refusal: Refusal | None = None
    near_names: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    region: str = ""
    is_region_strict: bool = False
    is_sticky: bool = False
    load_balancing: str = ""
    is_health_known: bool = False
    options: tuple[Option, ...] = ()
    hold: Hold | None = None
    available_nanos: Mapping[str, int | None] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()


async def explain(
    bearings: Bearings, call: Call, caller: Caller, catalog: Catalog, known: Known
) -> Explanation:
    """What the call path would decide now; nothing is held, counted or sent.

    Where a call would be refused, what would follow is told all the same.
    """
    offer = offer_for(call, caller, catalog)
    refusal = refusal_of(caller, call.client_ip) or model_refusal_of(caller, offer, call)
    told = Explanation(call.request.model, policy=caller.policy.name, refusal=_told(refusal))
    if offer is None:
        return dataclasses.replace(told, near_names=_near(call.request.model, catalog))
    planned = plan_of(bearings, call, caller, catalog, offer)
    candidates = [c for c in planned.candidates if can_answer(bearings, call, c)]
    fit, output, misfit = _fitting(bearings, call, output_limit_of(caller, offer), candidates)
    hold, short = _hold(bearings, call, offer, output, known)
    options = await _options(planned, candidates, fit, known)
    is_sticky = affinity_of(call, offer) is not None
    options = chances_of(options, offer.load_balancing, is_sticky=is_sticky)
    meters = _meters(call, caller, offer, hold)
    refusals = (refusal, misfit, short, _beyond(call, meters), _unreachable(options, known))
    asked_for = catalog.find(call.request.model)
    return dataclasses.replace(
        told,
        model=offer.slug,
        is_substituted=asked_for is not offer,
        refusal=next((_told(error) for error in refusals if error is not None), None),
        steps=tuple(planned.steps),
        region=region_of(call, caller) or bearings.settings.region,
        is_region_strict=caller.policy.region_strict,
        is_sticky=is_sticky,
        load_balancing=offer.load_balancing,
        is_health_known=known.look is not None,
        options=tuple(options),
        hold=hold,
        available_nanos=known.available_nanos,
        limits=tuple(_limit(meter, caller.user_id, offer.slug) for meter in meters),
    )


def _told(error: GatewayError | None) -> Refusal | None:
    return None if error is None else Refusal(error.code, int(error.status), str(error))


def _near(name: str, catalog: Catalog) -> tuple[str, ...]:
    names = [*catalog.offers, *catalog.aliases]
    return tuple(difflib.get_close_matches(name, names, NEAR_NAMES, NEAR_ENOUGH))


def _fitting(
    bearings: Bearings, call: Call, most: int | None, candidates: list[Candidate]
) -> tuple[list[Candidate], int | None, GatewayError | None]:
    """Those with room for the prompt, the bound on the output, and what refuses the call."""
    if not candidates:
        return [], None, NoBackendError("No enabled backend with a key of ours serves this model.")
    try:
        return *fitting(bearings, call, most, candidates), None
    except ContextLengthError as error:
        return [], None, error


async def _options(
    planned: Plan, candidates: list[Candidate], fit: list[Candidate], known: Known
) -> list[Option]:
    conditions = None
    if known.look is not None and candidates:
        conditions = await known.look(choices_of(candidates))
    by_candidate = dict(zip(map(id, candidates), conditions or (), strict=False))
    answering, roomy = set(map(id, candidates)), set(map(id, fit))
    problems = {
        id(c): "too long a prompt" if id(c) in answering else "its protocol has no such route"
        for c in planned.candidates
        if id(c) not in roomy
    }
    return options_of(planned.candidates, problems, by_candidate)


def _unreachable(options: list[Option], known: Known) -> GatewayError | None:
    if known.look is None or any(is_usable(option) for option in options):
        return None
    return NoBackendError()


def _hold(
    bearings: Bearings, call: Call, offer: Offer, output: int | None, known: Known
) -> tuple[Hold | None, GatewayError | None]:
    """The hold, and what refuses it."""
    if output is None or not offer.is_sellable:
        return None, None
    hold = hold_of(call, offer, output)
    left = min((n for n in known.available_nanos.values() if n is not None), default=None)
    if left is None or hold.total_nanos <= left:
        return hold, None
    shorter = affordable(bearings, call, offer, left)
    if shorter is None:
        return hold, InsufficientQuotaError()
    return dataclasses.replace(hold_of(call, offer, shorter), is_cut=True), None


def hold_of(call: Call, offer: Offer, output: int) -> Hold:
    """The hold with its prices, which are asked of the arithmetic that makes it."""
    of_call = pricing.upper_bound(0, 0, 1, offer.prices)
    priced = [0, 0]
    for place, tokens in enumerate(((PRICED_UNITS, 0), (0, PRICED_UNITS))):
        if tokens[0] or output:
            priced[place] = pricing.upper_bound(*tokens, 1, offer.prices) - of_call
    return Hold(
        prompt_tokens=call.request.prompt_tokens,
        output_tokens=output,
        choices=call.request.choices,
        input_nanos_per_million=priced[0],
        output_nanos_per_million=priced[1],
        call_nanos=of_call,
        total_nanos=amount_of(call, offer, output),
        price_version_id=offer.price_version_id,
    )


def _meters(call: Call, caller: Caller, offer: Offer, hold: Hold | None) -> tuple[Meter, ...]:
    if hold is None:
        return ()
    return limits_of(call, caller, offer, hold.output_tokens, hold.total_nanos)


def _beyond(call: Call, meters: tuple[Meter, ...]) -> GatewayError | None:
    """The refusal of what no limit would ever admit, however little was used of it.

    Where the client names no length, the answer is made to fit behind the prompt.
    """
    is_open = call.request.max_output_tokens is None and call.operation not in WITHOUT_OUTPUT
    for index, meter in enumerate(meters):
        if is_open and meter.unit == "n":
            continue
        is_fitted = is_open and meter.unit == "t"
        amount = call.request.prompt_tokens if is_fitted else int(meter.amount)
        if amount > int(meter.limit):
            return limit_error(meters, index, 0, ())
    return None


UNITS = {"r": "requests", "t": "tokens", "n": "USD"}
PERIODS = {"d": "day", "m": "month"}


def _limit(meter: Meter, user_id: str, model: str) -> Limit:
    if meter.kind == "c":
        what = "calls at the same time"
    elif meter.kind == "w":
        what = f"{UNITS[meter.unit]} per {meter.window_ms // 1000} s"
    else:
        what = f"{UNITS[meter.unit]} per {PERIODS[meter.key[-2]]}"
    if not meter.key.removeprefix(f"{user_id}:").startswith(f"{model}:"):
        return Limit(what, int(meter.limit), int(meter.amount), meter.unit == "n")
    return Limit(f"{what} of {model}", int(meter.limit), int(meter.amount), meter.unit == "n")
