"""The way in: who calls, what is asked for, what it may cost, and one hold for it."""

import dataclasses

from gateway import clock, pricing
from gateway.admission import (
    Admit,
    Check,
    Choice,
    GateClosedError,
    Grant,
    QuotaShortError,
    StaleSnapshotError,
)
from gateway.admission.events import HoldInfo, encode
from gateway.catalog import Catalog, Offer, Target
from gateway.errors import (
    AddressNotAllowedError,
    GatewayError,
    InsufficientQuotaError,
    InvalidApiKeyError,
    InvalidRequestError,
    ModelNotAllowedError,
    ModelNotFoundError,
    ModelNotSellableError,
    NoBackendError,
    OutsideTimeRangeError,
)
from gateway.identity import Caller
from gateway.relay import meters
from gateway.relay.call import Call, Entry
from gateway.relay.closing import FAILED, NO_BASIS, Outcome, settle
from gateway.relay.deps import Deps
from gateway.routing.order import LEAST_BUSY

MAX_RELOADS = 5
OPERATION_TYPES = {"chat": "chat", "embeddings": "embedding"}
EVENT_VERSION = 1


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
    offer = catalog.find(call.request.model)
    refusal = refusal_of(caller, call.client_ip) or _model_refusal(caller, offer, call)
    if refusal is not None or offer is None:
        # A refusal must not rest on a snapshot that has been overtaken.
        await deps.admission.check(check_of(caller, catalog))
        raise refusal or ModelNotFoundError
    targets = deps.router.order(offer, caller.policy.region, is_strict=caller.policy.region_strict)
    if not targets:
        await deps.admission.check(check_of(caller, catalog))
        raise NoBackendError
    output = _output_tokens(deps, call, caller, offer)
    draft = _Draft(deps, call, caller, offer, catalog.revision, targets)
    try:
        return await draft.admit(output)
    except QuotaShortError as short:
        affordable = _affordable(deps, call, offer, short)
        if affordable is None:
            raise
        return await draft.admit(affordable)


def check_of(caller: Caller, catalog: Catalog) -> Check:
    return Check(
        user=caller.user_id,
        user_revision=caller.revision,
        policy=caller.policy.id,
        policy_revision=caller.policy.revision,
        catalog_revision=catalog.revision,
    )


def refusal_of(caller: Caller, client_ip: str) -> GatewayError | None:
    """Why this key may do nothing at all, from there and now, if so."""
    if caller.refusal is not None:
        return InvalidApiKeyError(caller.refusal)
    now = clock.now()
    if caller.valid_until is not None and caller.valid_until <= now:
        return InvalidApiKeyError("This API key has expired.")
    if not caller.may_come_from(client_ip) or not caller.may_come_at(now):
        from_there = caller.may_come_from(client_ip)
        return OutsideTimeRangeError() if from_there else AddressNotAllowedError()
    if caller.allowance_ends_at is not None and caller.allowance_ends_at <= now:
        return InsufficientQuotaError("The allowance of this API key has expired.")
    return None


def _model_refusal(caller: Caller, offer: Offer | None, call: Call) -> GatewayError | None:
    name = call.request.model
    if offer is None:
        return ModelNotFoundError(f"The model '{name[:100]}' does not exist.", param="model")
    if not caller.allows(offer.slug):
        return ModelNotAllowedError(f"This API key may not use '{offer.slug}'.", param="model")
    wanted = OPERATION_TYPES[call.operation]
    if offer.type != wanted:
        return InvalidRequestError(
            f"'{offer.slug}' is a model of type {offer.type}, not {wanted}.", param="model"
        )
    if not offer.is_sellable:
        return ModelNotSellableError(f"The operator has not set a price for '{offer.slug}'.")
    return None


def _output_tokens(deps: Deps, call: Call, caller: Caller, offer: Offer) -> int:
    """Output tokens per choice that the hold pays for."""
    if call.operation == "embeddings":
        return 0
    bounds = [offer.max_output_tokens, caller.policy.max_output_tokens]
    wanted = call.request.max_output_tokens
    if wanted is None and offer.max_output_tokens is None:
        wanted = deps.settings.admission.default_output_tokens
    return min(bound for bound in (wanted, *bounds) if bound is not None)


def _affordable(deps: Deps, call: Call, offer: Offer, short: QuotaShortError) -> int | None:
    """A shorter answer that the rest of the allowance pays, if the client named no length."""
    if call.operation == "embeddings" or call.request.max_output_tokens is not None:
        return None
    tokens = pricing.affordable_output(
        short.available_nanos, call.request.prompt_tokens, call.request.choices, offer.prices
    )
    return tokens if tokens >= deps.settings.admission.min_output_tokens else None


@dataclasses.dataclass(slots=True)
class _Draft:
    """A call that has passed all checks of this process and asks for its hold."""

    deps: Deps
    call: Call
    caller: Caller
    offer: Offer
    catalog_revision: int
    targets: list[Target]

    async def admit(self, output_tokens: int) -> Entry:
        request = self.call.request
        amount = pricing.upper_bound(
            request.prompt_tokens, output_tokens, request.choices, self.offer.prices
        )
        tokens = request.prompt_tokens + output_tokens * request.choices
        limits = meters.of_call(self.caller, tokens, amount)
        hold = self._hold(amount)
        operation = Admit(
            reference=hold.reference,
            user=hold.user_id,
            user_revision=self.caller.revision,
            policy=self.caller.policy.id,
            policy_revision=self.caller.policy.revision,
            catalog_revision=self.catalog_revision,
            app=hold.app_id or "",
            key=self.caller.api_key_id,
            amount=str(amount),
            meters=limits,
            candidates=choices_of(self.targets),
            least_busy=self.offer.load_balancing == LEAST_BUSY,
            lease_ms=self.deps.holds.lease_ms,
            info=encode(hold).decode(),
        )
        grant = await self._ask(operation, hold)
        self.deps.holds.add(hold)
        entry = self._entry(hold, grant, output_tokens)
        for meter, (remaining, reset_ms) in zip(limits, grant.remaining, strict=False):
            if meter.kind == "w":
                entry.rate_limits[meter.unit] = (
                    meter.limit,
                    remaining.decode(),
                    int(reset_ms) / 1000,
                )
        return entry

    async def _ask(self, operation: Admit, hold: HoldInfo) -> Grant:
        try:
            return await self.deps.admission.admit(operation, lambda: self._orphaned(hold))
        except GateClosedError:
            if self.deps.settings.admission.when_redis_is_down == "allow":
                return Grant(choice=0, remaining=[], is_limited=False)
            raise

    def _orphaned(self, hold: HoldInfo) -> None:
        """The client left while Redis was asked: what it granted goes back."""
        entry = self._entry(hold, Grant(0, [], is_limited=False), 0)
        settle(self.deps, entry, Outcome(FAILED, 499, [], NO_BASIS, error_code="client_left"))

    def _entry(self, hold: HoldInfo, grant: Grant, output_tokens: int) -> Entry:
        wanted = self.call.request.max_output_tokens
        must_cap = grant.is_limited or (wanted is not None and wanted > output_tokens)
        return Entry(
            call=self.call,
            caller=self.caller,
            offer=self.offer,
            targets=self.targets,
            hold=hold,
            choice=grant.choice,
            is_limited=grant.is_limited,
            output_cap=output_tokens if must_cap and output_tokens else None,
        )

    def _hold(self, amount: int) -> HoldInfo:
        call, caller = self.call, self.caller
        return HoldInfo(
            version=EVENT_VERSION,
            reference=call.reference,
            started_ms=call.started_ms,
            user_id=caller.user_id,
            app_id=caller.app_id,
            api_key_id=caller.api_key_id,
            model_id=self.offer.model_id,
            model=self.offer.slug,
            surface=call.surface,
            operation=call.operation,
            stream=call.request.stream,
            held_nanos=amount,
            price_version_id=self.offer.price_version_id,
            client_ip=call.client_ip,
            user_agent=call.user_agent,
            process_id=self.deps.process_id,
        )


def choices_of(targets: list[Target]) -> tuple[Choice, ...]:
    return tuple(
        Choice(t.link_id, t.backend_id, t.provider_key_id or "", t.slots, t.weight) for t in targets
    )
