"""Calls with one whole answer."""

import asyncio
from dataclasses import dataclass

from gateway import clock
from gateway.admission.events import Usage
from gateway.errors import UpstreamTimeoutError
from gateway.protocols.exchange import Read
from gateway.relay import closing
from gateway.relay.attempts import Try
from gateway.relay.call import Call, Entry
from gateway.relay.closing import (
    CANCELLED,
    CLIENT_LEFT,
    ESTIMATED,
    REPORTED,
    SUCCEEDED,
    Outcome,
)
from gateway.relay.deps import Deps
from gateway.relay.entry import enter
from gateway.relay.preparing import prepared
from gateway.relay.tries import run
from gateway.routing import Candidate

DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """A whole answer and what was decided on its way."""

    body: bytes
    entry: Entry
    charge_nanos: int
    candidate: Candidate | None = None  # None: nobody was asked

    @property
    def answered_model(self) -> str:
        return (self.candidate.offer if self.candidate else self.entry.offer).slug


async def call_plain(deps: Deps, call: Call) -> PlainAnswer:
    """Admit, try, charge; raises GatewayError when nothing could answer."""
    entry = await enter(deps, call)
    if policy_of(entry) != DRAIN:
        return await _finish(deps, entry)
    try:
        return await asyncio.shield(deps.spawn(_finish(deps, entry)))
    except asyncio.CancelledError:
        # The work goes on without its client, up to the limits of the attempt.
        entry.has_client_left = True
        raise


def policy_of(entry: Entry) -> str:
    """What to do upstream when the client leaves: the key's or policy's word, else the model's."""
    return entry.caller.disconnect_policy or entry.offer.disconnect_policy or "cancel"


async def _finish(deps: Deps, entry: Entry) -> PlainAnswer:
    with closing.settled_if_it_fails(deps, entry):
        tries, answer = await run(deps, entry, _ask)
        charge = closing.settle(deps, entry, _outcome(entry, answer, tries.current))
    if answer.states:
        deps.spawn(deps.tool_states.keep(entry.hold.user_id, answer.states))
    return PlainAnswer(answer.body, entry, charge, tries.current)


def _outcome(entry: Entry, answer: Read, candidate: Candidate) -> Outcome:
    has_left = entry.has_client_left
    return Outcome(
        status=CANCELLED if has_left else SUCCEEDED,
        http_status=CLIENT_LEFT if has_left else 200,
        usage=answer.usage or estimated(entry, answer.output_estimate),
        basis=REPORTED if answer.usage is not None else ESTIMATED,
        candidate=candidate,
        error_code="client_left" if has_left else None,
        first_byte_ms=elapsed_ms(entry),
        disconnect_policy=DRAIN if has_left else None,
    )


async def _ask(attempt: Try) -> Read:
    """One attempt, within the limit of the whole call; raises UpstreamError."""
    try:
        async with asyncio.timeout(attempt.limit("total_seconds")):
            body = await fetch(attempt)
    except TimeoutError as error:
        raise UpstreamTimeoutError from error
    answer = attempt.read(body)
    attempt.succeeded()
    return answer


async def fetch(attempt: Try) -> bytes:
    response = await attempt.send(await prepared(attempt, attempt.wish()))
    try:
        return await response.read(attempt.deps.settings.upstream.max_answer_bytes)
    finally:
        response.close()


def estimated(entry: Entry, output_tokens: int) -> Usage:
    """Usage where the vendor reported none: the prompt and what was delivered of the answer."""
    usage: Usage = [("input", "", entry.call.request.prompt_tokens)]
    return [*usage, ("output", "", output_tokens)] if output_tokens else usage


def elapsed_ms(entry: Entry) -> int:
    return int((clock.monotonic() - entry.call.started) * 1000)
