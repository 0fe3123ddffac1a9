"""Calls with one whole answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway import clock
from gateway.admission.events import Usage
from gateway.errors import UpstreamError, UpstreamTimeoutError
from gateway.relay import attempts, closing
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

DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """A whole answer and what was decided on its way."""

    body: bytes
    entry: Entry
    charge_nanos: int


@dataclass(frozen=True, slots=True)
class Read:
    """What a codec read from an answer: the bytes to pass on, and what they used."""

    body: bytes
    usage: Usage | None
    output_estimate: int


Reader = Callable[[bytes, str], Read | None]


async def call_plain(deps: Deps, call: Call, read: Reader) -> PlainAnswer:
    """Admit, try, charge; raises GatewayError when nothing could answer."""
    entry = await enter(deps, call)
    if policy_of(entry) != DRAIN:
        return await _finish(deps, entry, read)
    try:
        return await asyncio.shield(deps.spawn(_finish(deps, entry, read)))
    except asyncio.CancelledError:
        # The work goes on without its client, up to the limits of the attempt.
        entry.has_client_left = True
        raise


def policy_of(entry: Entry) -> str:
    """What to do upstream when the client leaves: the key's or policy's word, else the model's."""
    return entry.caller.disconnect_policy or entry.offer.disconnect_policy or "cancel"


async def _finish(deps: Deps, entry: Entry, read: Reader) -> PlainAnswer:
    async def fetch(attempt: attempts.Try) -> Read:
        try:
            async with asyncio.timeout(attempt.limit("total_seconds")):
                body = await _fetch(attempt)
        except TimeoutError as error:
            raise UpstreamTimeoutError from error
        answer = read(body, entry.call.request.model)
        if answer is None:
            raise UpstreamError("The provider answered with something else than an answer.")
        attempt.succeeded()
        return answer

    with closing.settled_if_it_fails(deps, entry):
        target, answer = await attempts.run(deps, entry, fetch)
    usage = answer.usage or estimated(entry, answer.output_estimate)
    has_left = entry.has_client_left
    outcome = Outcome(
        status=CANCELLED if has_left else SUCCEEDED,
        http_status=CLIENT_LEFT if has_left else 200,
        usage=usage,
        basis=REPORTED if answer.usage is not None else ESTIMATED,
        target=target,
        error_code="client_left" if has_left else None,
        first_byte_ms=elapsed_ms(entry),
        disconnect_policy=DRAIN if has_left else None,
    )
    return PlainAnswer(answer.body, entry, closing.settle(deps, entry, outcome))


async def _fetch(attempt: attempts.Try) -> bytes:
    response = await attempt.send()
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
