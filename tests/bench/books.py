"""Whether the drain keeps up with the answers, and the ledger says what was answered."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
from redis import Redis
from sqlalchemy import func, select

from gateway import ledger
from models import EntryKind, LedgerEntry
from tests.bench import load
from tests.bench.load import Run, Target, Timing
from tests.bench.ours import PRICES, Ours
from tests.bench.scenarios import JSON_C32
from tests.bench.upstream import COMPLETION_TOKENS, PROMPT_TOKENS, Upstream

SAMPLE_SECONDS = 0.5
FINISH_SECONDS = 10.0
NANOS_OF_A_MILLIONTH_DOLLAR = 1000
ANSWER_NANOS = NANOS_OF_A_MILLIONTH_DOLLAR * (
    PROMPT_TOKENS * int(PRICES["input"]) + COMPLETION_TOKENS * int(PRICES["output"])
)


class Books(msgspec.Struct, kw_only=True):
    """One run with everything counted on both sides of the gateway and in the ledger."""

    engine: str
    run: Run
    backlog: list[int]  # settlements waiting, every half second of the load
    drained_after_seconds: float  # from the last answer until all was in the ledger
    answered: int  # as the clients count
    sent: int  # as the upstream counts
    charges: int
    charged_nanos: int
    expected_nanos: int
    differences: list[str]  # what `sluice ledger verify` finds

    @property
    def longest_backlog_seconds(self) -> float:
        """As seconds of this load."""
        return max(self.backlog, default=0) / self.run.rps if self.run.rps else 0.0

    @property
    def agree(self) -> bool:
        is_counted = self.answered == self.sent == self.charges
        return is_counted and self.charged_nanos == self.expected_nanos and not self.differences


@dataclass(slots=True)
class _Backlog:
    lengths: list[int] = field(default_factory=list)

    @contextmanager
    def watched(self, ours: Ours) -> Generator[None]:
        stop = threading.Event()
        with ours.redis.client() as client:
            watcher = threading.Thread(target=self._watch, args=(ours, client, stop))
            watcher.start()
            try:
                yield
            finally:
                stop.set()
                watcher.join()

    def _watch(self, ours: Ours, client: Redis, stop: threading.Event) -> None:
        while not stop.wait(SAMPLE_SECONDS):
            self.lengths.append(ours.backlog(client))


def audit(engine: str, ours: Ours, target: Target, upstream: Upstream, seconds: float) -> Books:
    """Nothing but this load may have gone through ``ours``."""
    sent_before = upstream.count_answers()
    backlog = _Backlog()
    timing = Timing(seconds, ours.pinning.load, FINISH_SECONDS)
    with backlog.watched(ours):
        run = load.run(target, JSON_C32, timing)
    started = time.monotonic()
    ours.wait_drained()
    drained_after = time.monotonic() - started
    charges, charged = _sums(ours)
    with ours.redis.client() as client:
        differences = [str(found) for found in ledger.verify(ours.database, client)]
    return Books(
        engine=engine,
        run=run,
        backlog=backlog.lengths,
        drained_after_seconds=drained_after,
        answered=run.answered,
        sent=upstream.count_answers() - sent_before,
        charges=charges,
        charged_nanos=charged,
        expected_nanos=run.answered * ANSWER_NANOS,
        differences=differences,
    )


def _sums(ours: Ours) -> tuple[int, int]:
    with ours.database.snapshot() as session:
        count, amount = session.execute(
            select(func.count(), func.coalesce(func.sum(LedgerEntry.amount_nanos), 0)).where(
                LedgerEntry.kind == EntryKind.CHARGE
            )
        ).one()
    return int(count), int(amount)
