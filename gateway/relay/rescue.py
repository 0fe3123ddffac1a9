"""Going on with a stream that broke off after its client has seen some of it.

By continuing, where the next upstream can take what was delivered as the beginning of its
answer; by aligning, where the answer is written afresh and must begin with the same text;
or not at all. The client is never told anything that it was told already.
"""

import asyncio
import dataclasses
from dataclasses import dataclass

import msgspec

from gateway.errors import Blame, GatewayError, UpstreamError
from gateway.protocols.canonical import Call, Message, Role, Text, text_of
from gateway.protocols.estimate import text_tokens
from gateway.protocols.events import Position
from gateway.protocols.exchange import Wish
from gateway.relay.attempts import Try
from gateway.relay.deps import Deps
from gateway.relay.legs import Leg, Resumption, open_leg
from gateway.relay.tries import Tries
from gateway.routing import Candidate

CONTINUE, ALIGN = "continue", "align"
NO_PREFIX = "none"


@dataclass(frozen=True, slots=True)
class Broken:
    """What the client has of a stream that broke off."""

    call: Call  # the request
    position: Position
    said: str  # the answer's text that was delivered
    model_id: str  # that answered


async def rescued(tries: Tries, broken: Broken, error: UpstreamError) -> Leg | None:
    """A leg that goes on; None if nobody can."""
    tries.told_name = tries.told_name or tries.current.name
    tries.restrict(lambda candidate: _find_way(tries.deps, candidate, broken) is not None)
    attempt = await tries.after(error)
    while attempt is not None:
        way = _find_way(tries.deps, attempt.candidate, broken)
        assert way is not None, "only those that suit are asked"  # noqa: S101
        try:
            return await _open(attempt, broken, way, tries.told_name)
        except UpstreamError as failure:
            attempt.failed(failure)
            if (
                way == CONTINUE
                and failure.blame is Blame.CALLER
                and _may_align(attempt.candidate, broken)
            ):
                leg = await _aligned(tries, broken)
                if leg is not None:
                    return leg
            attempt = await tries.after(_not_the_callers(failure))
    return None


async def _aligned(tries: Tries, broken: Broken) -> Leg | None:
    """The same upstream again, which would not continue: it may write afresh."""
    attempt = await tries.same()
    if attempt is None:
        return None
    try:
        return await _open(attempt, broken, ALIGN, tries.told_name)
    except UpstreamError as failure:
        attempt.failed(failure)
        return None


async def _open(attempt: Try, broken: Broken, way: str, name: str) -> Leg:
    """The stream goes on under the name under which it began."""
    attempt.is_rescue = True
    request = attempt.entry.call.request
    attempt.exchange = request.exchange(attempt.provider.protocol, name)
    begin = _continued if way == CONTINUE else _aligned_with
    try:
        return await open_leg(attempt, begin(attempt.wish(), broken))
    except asyncio.CancelledError:
        attempt.stopped()
        raise
    except UpstreamError:
        raise
    except GatewayError as error:
        # It is our request that cannot be made: nobody's fault, and others may be asked.
        raise UpstreamError(str(error), blame=Blame.CALLER) from error


def _continued(wish: Wish, broken: Broken) -> Resumption:
    """What was delivered is the beginning of the answer.

    Without the white space at its end, which not every upstream takes: it comes again.
    """
    beginning = broken.said.rstrip()
    white_space = broken.said[len(beginning) :] or None
    if beginning:
        left = _tokens_left(wish, broken)
        call = _with_prefix(broken.call, beginning)
        wish = dataclasses.replace(wish, call=call, max_output_tokens=left)
    return Resumption(broken.position, wish, white_space)


def _aligned_with(wish: Wish, broken: Broken) -> Resumption:
    return Resumption(broken.position, wish, broken.said)


def _tokens_left(wish: Wish, broken: Broken) -> int | None:
    """What the delivered text has left of the bound on the output."""
    bounds = (wish.max_output_tokens, broken.call.max_output_tokens)
    bound = min((n for n in bounds if n is not None), default=None)
    return None if bound is None else max(1, bound - text_tokens(broken.said))


def _find_way(deps: Deps, candidate: Candidate, broken: Broken) -> str | None:
    """How the candidate could go on with the stream, if at all."""
    traits = candidate.target.traits
    if traits.rescue == "none":
        return None
    prefix = traits.prefix or deps.providers[candidate.target.adapter].prefix
    can_continue = not broken.said.strip() or prefix != NO_PREFIX
    if can_continue and traits.rescue != ALIGN:
        return CONTINUE
    return ALIGN if _may_align(candidate, broken) else None


def _may_align(candidate: Candidate, broken: Broken) -> bool:
    """Where the same text may be expected again, or the operator says so."""
    traits = candidate.target.traits
    if traits.rescue in {"none", CONTINUE}:
        return False
    sampling = broken.call.sampling
    is_repeatable = sampling.temperature == 0 or sampling.seed is not None
    is_same_model = candidate.offer.model_id == broken.model_id
    return traits.rescue == ALIGN or (is_repeatable and is_same_model)


def _with_prefix(call: Call, said: str) -> Call:
    """The request with the beginning of its answer; nothing is thought over again."""
    messages, before = call.messages, ""
    last = messages[-1] if messages else None
    if last is not None and last.role is Role.ASSISTANT:
        # The client had begun the answer himself.
        messages, before = messages[:-1], text_of(last.items)
    beginning = Message(Role.ASSISTANT, (Text(before + said),))
    return msgspec.structs.replace(call, messages=(*messages, beginning), thinking=None)


def _not_the_callers(failure: UpstreamError) -> UpstreamError:
    """The request was ours, so its refusal is not the caller's, and others may be tried."""
    if failure.blame is not Blame.CALLER:
        return failure
    return UpstreamError(str(failure), blame=Blame.MODEL, upstream_status=failure.upstream_status)
