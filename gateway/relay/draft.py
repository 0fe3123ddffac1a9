"""A call that has passed all checks of this process and asks for its one hold."""

from dataclasses import dataclass

from gateway import money, pricing
from gateway.admission import Admit, Choice, GateClosedError, Grant, Meter, window_limits
from gateway.admission.events import HoldInfo, encode
from gateway.admission.limits import COUNTED_BY_LENGTH
from gateway.catalog import Offer
from gateway.identity import Caller
from gateway.relay import meters
from gateway.relay.call import Call, Entry
from gateway.relay.closing import FAILED, NO_BASIS, Outcome, settle
from gateway.relay.deps import Deps
from gateway.routing import Candidate
from gateway.routing.order import LEAST_BUSY

EVENT_VERSION = 1
# What costs nothing and counts against no quota, only against rates.
FREE = frozenset(("count_tokens",))
# It takes no slot, and nobody's probe.
ANYWHERE = Choice("", "", "", 0, 1)


@dataclass(slots=True)
class Draft:
    """A call that has passed all checks of this process and asks for its hold."""

    deps: Deps
    call: Call
    caller: Caller
    offer: Offer
    catalog_revision: int
    candidates: list[Candidate]

    async def admit(self, output_tokens: int) -> Entry:
        amount = amount_of(self.call, self.offer, output_tokens)
        limits = limits_of(self.call, self.caller, self.offer, output_tokens, amount)
        hold = self._hold(amount)
        grant = await self._ask(self._operation(hold, limits), hold)
        self.deps.holds.add(hold)
        entry = self._entry(hold, grant, output_tokens)
        entry.rate_limits = window_limits(limits, grant.remaining)
        if output_tokens and self._is_bounded(limits):
            entry.output_cap = output_tokens
        return entry

    def _is_bounded(self, limits: tuple[Meter, ...]) -> bool:
        """Whether a longer answer would be more than the policy allows."""
        has_bound = self.caller.policy.output_limit(self.offer.slug) is not None
        return has_bound or any(meter.unit in COUNTED_BY_LENGTH for meter in limits)

    def _operation(self, hold: HoldInfo, limits: tuple[Meter, ...]) -> Admit:
        return Admit(
            reference=hold.reference,
            user=hold.user_id,
            user_revision=self.caller.revision,
            policy=self.caller.policy.id,
            policy_revision=self.caller.policy.revision,
            catalog_revision=self.catalog_revision,
            app=hold.app_id or "",
            key=self.caller.api_key_id,
            amount=str(hold.held_nanos),
            meters=limits,
            candidates=(ANYWHERE,) if self.call.operation in FREE else choices_of(self.candidates),
            least_busy=self.offer.load_balancing == LEAST_BUSY,
            lease_ms=self.deps.holds.lease_ms,
            info=encode(hold).decode(),
        )

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
            candidates=self.candidates,
            hold=hold,
            choice=grant.choice,
            is_probe=grant.is_probe,
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


def amount_of(call: Call, offer: Offer, output_tokens: int) -> money.Nanos:
    """What the call costs at most; that much is held."""
    if call.operation in FREE:
        return money.ZERO
    request = call.request
    return pricing.upper_bound(request.prompt_tokens, output_tokens, request.choices, offer.prices)


def limits_of(
    call: Call, caller: Caller, offer: Offer, output_tokens: int, amount: int
) -> tuple[Meter, ...]:
    """Every limit of the policy that the call counts against."""
    if call.operation in FREE:
        return meters.of_free_call(caller, offer.slug)
    request = call.request
    tokens = request.prompt_tokens + output_tokens * request.choices
    return meters.of_call(caller, offer.slug, tokens, amount)


def choices_of(candidates: list[Candidate]) -> tuple[Choice, ...]:
    return tuple(
        Choice(t.link_id, t.backend_id, t.provider_key_id or "", t.slots, t.weight, candidate.tier)
        for candidate in candidates
        for t in (candidate.target,)
    )
