"""Counting the tokens of a request without answering it: free, and never a failure of ours."""

from typing import Protocol, cast

from gateway.errors import UpstreamError, UpstreamRejectedError
from gateway.protocols.exchange import Exchange, Read
from gateway.relay import closing
from gateway.relay.attempts import Try
from gateway.relay.call import Call
from gateway.relay.closing import NO_BASIS, SUCCEEDED, Outcome
from gateway.relay.deps import Deps
from gateway.relay.entry import enter
from gateway.relay.plain import PlainAnswer, elapsed_ms, fetch
from gateway.relay.tries import run

# What says that the request itself is wrong; others only say that this server cannot count.
REFUSED = frozenset((400, 413, 422))


class Counting(Exchange, Protocol):
    """An exchange that may have nobody to ask."""

    can_ask: bool


async def call_counting(deps: Deps, call: Call, estimate: Read) -> PlainAnswer:
    """Ask an upstream that can count, else estimate; raises GatewayError on a wrong request."""
    entry = await enter(deps, call)
    with closing.settled_if_it_fails(deps, entry):
        try:
            _, answer = await run(deps, entry, _count)
        except UpstreamError as error:
            if isinstance(error, UpstreamRejectedError) and error.upstream_status in REFUSED:
                raise
            answer = None
    outcome = Outcome(SUCCEEDED, 200, [], NO_BASIS, first_byte_ms=elapsed_ms(entry))
    return PlainAnswer((answer or estimate).body, entry, closing.settle(deps, entry, outcome))


async def _count(attempt: Try) -> Read | None:
    if not cast("Counting", attempt.exchange).can_ask:
        return None
    answer = attempt.exchange.read(await fetch(attempt))
    attempt.succeeded()
    return answer
