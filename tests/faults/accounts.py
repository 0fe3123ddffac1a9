"""The reckoning after a fault: what clients were told, what was delivered, what was charged."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from decimal import Decimal

from gateway import admission
from gateway.cache import keys
from gateway.protocols import estimate
from gateway.usage import apply_effects
from models import LedgerEntry, RequestRecord
from tests.faults.clients import GONE, LEAVE, Outcome
from tests.stack import Stack
from tests.stack.stack import PRICES
from tests.upstream.tokens import count_prompt

QUIET_SECONDS = 40
SLOW_SECONDS = 2.0
# The estimator counts characters, the simulator pieces of nine characters.
TOKENS_PER_PIECE = 3
PER_TOKEN = {name: int(Decimal(usd) * 1000) for name, usd in PRICES.items()}


def settle_down(stack: Stack) -> None:
    """Until no lease is open, and stream and journals are in the ledger."""
    stack.wait_for(lambda: _is_quiet(stack), QUIET_SECONDS)


def _is_quiet(stack: Stack) -> bool:
    with stack.redis.client() as client:
        admission.sweep(client)
        stack.drain()
        apply_effects(stack.database, client)
        waiting = client.xlen(keys.STREAM) + client.zcard(keys.HOLDS)
    return not waiting and not journalled(stack)


def journalled(stack: Stack) -> int:
    """Bytes in the journals of all processes."""
    folder = stack.state_dir / "journal"
    return sum(path.stat().st_size for path in folder.glob("*") if path.exists())


def check_answers(
    outcomes: Sequence[Outcome], broken: Collection[str] = (), paused: Collection[str] = ()
) -> None:
    """Served, or 503 soon and with Retry-After; broken off only by processes that were killed."""
    for outcome in outcomes:
        if outcome.broken:
            assert outcome.url in broken, outcome
        elif outcome.status == 503:
            assert outcome.retry_after, outcome
            assert outcome.seconds < SLOW_SECONDS or outcome.url in paused, outcome
        else:
            left = outcome.kind == GONE and not outcome.status
            assert outcome.status == 200 or left, outcome
            cut = outcome.url in broken or outcome.kind in (LEAVE, GONE)
            assert outcome.is_complete or cut, outcome


def check_money(stack: Stack, outcomes: Sequence[Outcome]) -> None:
    """Everybody who was told the whole answer pays for it once, nobody pays for a refusal."""
    charged, pieces = charges_by_tag(stack), _pieces_by_tag(stack)
    for outcome in outcomes:
        charges = charged.pop(outcome.tag, [])
        if outcome.is_complete:
            assert charges == [price_of(outcome)], (outcome, charges)
        elif outcome.status not in (0, 200):
            assert sum(charges) == 0, (outcome, charges)
        else:
            assert sum(charges) <= _most(pieces[outcome.tag], outcome.tag), (outcome, charges)
    assert not charged


def charges_by_tag(stack: Stack) -> dict[str, list[int]]:
    """The charges of every client, found by its User-Agent; one per call it was admitted for."""
    by_reference: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in stack.entries():
        if entry.slot in ("final", "adjustment"):
            by_reference[entry.reference].append(entry)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for record in stack.requests():
        entries = by_reference.pop(record.id)
        _check_record(record, entries)
        found[record.user_agent].append(sum(entry.amount_nanos for entry in entries))
    assert not by_reference
    return found


def _check_record(record: RequestRecord, entries: Sequence[LedgerEntry]) -> None:
    slots = sorted(entry.slot for entry in entries)
    assert slots in (["final"], ["adjustment", "final"]), (record.id, slots)
    assert record.charge_nanos == sum(entry.amount_nanos for entry in entries)


def price_of(outcome: Outcome) -> int:
    prompt = outcome.prompt_tokens * PER_TOKEN["input"]
    return prompt + outcome.completion_tokens * PER_TOKEN["output"]


def _most(pieces: int, tag: str) -> int:
    """What a broken call may cost: its prompt, and what the simulator had written by then."""
    messages = [{"role": "user", "content": tag}]
    estimated = estimate.prompt_tokens(json.dumps(messages).encode())
    prompt = max(count_prompt(messages), estimated)
    return prompt * PER_TOKEN["input"] + TOKENS_PER_PIECE * pieces * PER_TOKEN["output"]


def _pieces_by_tag(stack: Stack) -> Counter[str]:
    """How many pieces of answers the simulator wrote to the calls of each client."""
    written: Counter[str] = Counter()
    for entry in stack.simulator.journal():
        written[entry["body"]["messages"][0]["content"]] += entry["content_pieces_written"]
    return written


def check_sound(stack: Stack) -> None:
    """Nothing is left open, and the ledger, its projections, records and Redis agree."""
    settle_down(stack)
    assert stack.open_holds() == 0
    assert stack.differences() == []
    user = stack.user()
    available = stack.available_nanos()
    assert user.limit_nanos is not None
    assert available is None or available == user.limit_nanos - user.used_nanos
