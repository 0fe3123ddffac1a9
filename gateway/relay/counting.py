"""Counting the tokens of a request without answering it: free, and never a failure of ours."""

import asyncio
from typing import Protocol, cast

from gateway.errors import UpstreamError, UpstreamRejectedError, UpstreamTimeoutError
from gateway.protocols.exchange import Exchange, Read
from gateway.relay import closing
from gateway.relay.attempts import Try
from gateway.relay.call import Call, Entry
from gateway.relay.closing import NO_BASIS, SUCCEEDED, Outcome
from gateway.relay.deps import Deps
from gateway.relay.entry import enter
from gateway.relay.plain import PlainAnswer, elapsed_ms, fetch

# What says that the request itself is wrong; others only say that this server cannot count.
REFUSED = frozenset((400, 413, 422))


class Counting(Exchange, Protocol):
    """An exchange that may have nobody to ask."""

    can_ask: bool


async def call_counting(deps: Deps, call: Call, estimate: Read) -> PlainAnswer:
    """Ask the first upstream that can count, else estimate; raises on a wrong request."""
    entry = await enter(deps, call)
    with closing.settled_if_it_fails(deps, entry):
        answer = await _counted(deps, entry) or estimate
        outcome = Outcome(SUCCEEDED, 200, [], NO_BASIS, first_byte_ms=elapsed_ms(entry))
        charge = closing.settle(deps, entry, outcome)
    return PlainAnswer(answer.body, entry, charge)


async def _counted(deps: Deps, entry: Entry) -> Read | None:
    """None where nobody can be asked or gives an answer soon; there is always the estimate."""
    attempts = (Try(deps, entry, c, has_alternative=True) for c in entry.candidates)
    attempt = next((a for a in attempts if cast("Counting", a.exchange).can_ask), None)
    if attempt is None:
        return None
    try:
        answer = await _ask(attempt)
    except asyncio.CancelledError:
        attempt.stopped()
        raise
    except UpstreamError as error:
        attempt.failed(error)
        if isinstance(error, UpstreamRejectedError) and error.upstream_status in REFUSED:
            raise
        return None
    attempt.succeeded()
    return answer


async def _ask(attempt: Try) -> Read:
    try:
        async with asyncio.timeout(attempt.first_answer_seconds()):
            return attempt.read(await fetch(attempt))
    except TimeoutError as error:
        raise UpstreamTimeoutError from error
