"""The way in: who calls, what is asked for, what it may cost, and one hold for it."""

from collections.abc import Mapping
from typing import Protocol

from gateway import pricing
from gateway.admission import GateClosedError, QuotaShortError, StaleSnapshotError
from gateway.catalog import Catalog, Offer
from gateway.errors import (
    ContextLengthError,
    InsufficientQuotaError,
    InvalidRequestError,
    ModelNotFoundError,
    NoBackendError,
    RateLimitedError,
)
from gateway.identity import Caller
from gateway.providers import Provider
from gateway.relay.call import Call, Entry
from gateway.relay.deps import Deps
from gateway.relay.draft import Draft
from gateway.relay.refusals import check_of, model_refusal_of, refusal_of
from gateway.routing import Candidate, Plan, Router, Wanted, plan
from gateway.settings import Settings

MAX_RELOADS = 5
# What is asked for answers no tokens.
WITHOUT_OUTPUT = frozenset(("embeddings", "moderations", "count_tokens"))
# Estimates of prompts are rough: only what is far too long is refused without asking.
SURELY_TOO_LONG = 1.5
LEAST_OUTPUT_TOKENS = 1000


class Bearings(Protocol):
    """What is needed to decide about a call, of all that is needed to make it."""

    @property
    def settings(self) -> Settings: ...
    @property
    def router(self) -> Router: ...
    @property
    def providers(self) -> Mapping[str, Provider]: ...


async def enter(deps: Deps, call: Call) -> Entry:
    """Admit a call or raise the error that refuses it; the entry must be settled."""
    deps.journal.check_room()
    for _ in range(MAX_RELOADS):
        caller = await deps.callers.get(call.api_key)
        catalog = await deps.catalogs.get()
        try:
            return await _enter(deps, call, caller, catalog)
        except StaleSnapshotError as stale:
            refresh(deps, caller, stale.kind)
    raise GateClosedError


def refresh(deps: Deps, caller: Caller, kind: str) -> None:
    """Read again what admission says has moved on."""
    if kind == "catalog":
        deps.catalogs.refresh()
    else:
        deps.callers.refresh(caller)


async def _enter(deps: Deps, call: Call, caller: Caller, catalog: Catalog) -> Entry:
    offer = offer_for(call, caller, catalog)
    refusal = refusal_of(caller, call.client_ip) or model_refusal_of(caller, offer, call)
    if refusal is not None or offer is None:
        # A refusal must not rest on a snapshot that has been overtaken.
        await deps.admission.check(check_of(caller, catalog))
        raise refusal or ModelNotFoundError
    planned = plan_of(deps, call, caller, catalog, offer)
    candidates = [c for c in planned.candidates if can_answer(deps, call, c)]
    if not candidates:
        await deps.admission.check(check_of(caller, catalog))
        if planned.candidates:
            raise InvalidRequestError(
                f"'{offer.slug}' cannot be asked by this route.", param="model"
            )
        raise NoBackendError
    candidates, output = fitting(deps, call, output_limit_of(caller, offer), candidates)
    draft = Draft(deps, call, caller, offer, catalog.revision, candidates)
    try:
        return await draft.admit(output)
    except (RateLimitedError, InsufficientQuotaError) as refused:
        shorter = _shorter(deps, call, offer, refused)
        if shorter is None or shorter >= output:
            raise
        return await draft.admit(shorter)


def offer_for(call: Call, caller: Caller, catalog: Catalog) -> Offer | None:
    """The model asked for, or the policy's own where that one may or can not be used."""
    offer = catalog.find(call.request.model)
    if offer is None or caller.policy.default_model is None:
        return offer
    if caller.allows(offer.slug) and (offer.targets or offer.forward or offer.fallback):
        return offer
    return catalog.find(caller.policy.default_model) or offer


def plan_of(bearings: Bearings, call: Call, caller: Caller, catalog: Catalog, offer: Offer) -> Plan:
    """Every way to answer this call, in order."""
    request = call.request
    wanted = Wanted(
        offer=offer,
        name=request.model,
        read=request.call,
        region=region_of(call, caller),
        is_region_strict=caller.policy.region_strict,
        affinity=affinity_of(call, offer),
    )
    return plan(bearings.router, catalog, wanted)


def region_of(call: Call, caller: Caller) -> str | None:
    """The client's wish, unless the policy insists on a region of its own."""
    policy = caller.policy
    insists = policy.region_strict and policy.region
    return policy.region if insists else call.region or policy.region


def affinity_of(call: Call, offer: Offer) -> str | None:
    """Names the conversation, where it should stay with one backend."""
    return call.request.affinity() if offer.capabilities.get("affinity", True) else None


def can_answer(bearings: Bearings, call: Call, candidate: Candidate) -> bool:
    """Whether its protocol has what is asked for."""
    return call.request.speaks(bearings.providers[candidate.target.adapter].protocol)


def output_limit_of(caller: Caller, offer: Offer) -> int | None:
    return caller.policy.output_limit(offer.slug)


def fitting(
    bearings: Bearings, call: Call, most: int | None, candidates: list[Candidate]
) -> tuple[list[Candidate], int]:
    """The candidates that have room for the prompt, and the output tokens that are paid for.

    ``most`` is what the policy allows for an answer.
    """
    offer = candidates[0].offer
    if call.operation in WITHOUT_OUTPUT:
        return candidates, 0
    wanted = call.request.max_output_tokens
    if wanted is None and offer.max_output_tokens is None:
        wanted = bearings.settings.admission.default_output_tokens
    output = _least(wanted, offer.max_output_tokens, most)
    thinking = call.request.thinking_tokens
    if thinking >= output and _is_converted(bearings, call, candidates):
        output = _least(output + thinking, most)
    window, prompt = offer.context_window, call.request.prompt_tokens
    if not window or prompt + output <= window:
        return candidates, output
    if prompt > SURELY_TOO_LONG * window:
        roomy = [c for c in candidates if has_more_room(c.offer, offer) or c.is_for_long]
        if not roomy:
            raise ContextLengthError
        return roomy, output
    return candidates, min(output, max(window - prompt, LEAST_OUTPUT_TOKENS))


def _least(*bounds: int | None) -> int:
    return min(bound for bound in bounds if bound is not None)


def _is_converted(bearings: Bearings, call: Call, candidates: list[Candidate]) -> bool:
    protocols = {bearings.providers[c.target.adapter].protocol for c in candidates}
    return protocols != {call.dialect.name}


def has_more_room(offer: Offer, than: Offer) -> bool:
    return (offer.context_window or 0) > (than.context_window or 0)


def _shorter(
    deps: Deps, call: Call, offer: Offer, refused: RateLimitedError | InsufficientQuotaError
) -> int | None:
    """An answer that fits into what is left, if the client named no length."""
    request, left = call.request, refused.left
    if call.operation in WITHOUT_OUTPUT or request.max_output_tokens is not None:
        return None
    nanos = refused.available_nanos if isinstance(refused, QuotaShortError) else left.get("n")
    bounds = [affordable(deps, call, offer, nanos)] if nanos is not None else []
    if "t" in left:
        bounds.append((left["t"] - request.prompt_tokens) // request.choices)
    least = deps.settings.admission.min_output_tokens
    if not bounds or None in bounds:
        return None
    shorter = _least(*bounds)
    return shorter if shorter >= least else None


def affordable(bearings: Bearings, call: Call, offer: Offer, available_nanos: int) -> int | None:
    """A shorter answer that the rest of the allowance pays, if the client named no length."""
    if call.operation in WITHOUT_OUTPUT or call.request.max_output_tokens is not None:
        return None
    tokens = pricing.affordable_output(
        available_nanos, call.request.prompt_tokens, call.request.choices, offer.prices
    )
    return tokens if tokens >= bearings.settings.admission.min_output_tokens else None
