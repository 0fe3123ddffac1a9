"""Tasks about money: draining settlements, applying effects, sweeping holds, verifying."""

from gateway import admission, ledger, log, usage
from gateway.queue import Task
from workers.context import task
from workers.process import WorkerProcess, get_current

SWEEP_AT_ONCE = 500
SHOWN_DIFFERENCES = 20

_log = log.get(__name__)


@task(Task.LEDGER_DRAIN)
def drain() -> None:
    """Write waiting settlements into the ledger."""
    worker = get_current()
    worker.tick(Task.LEDGER_DRAIN, lambda: _drain(worker))


@task(Task.LEDGER_APPLY_EFFECTS)
def apply_effects() -> None:
    """Announce allowances that no longer agree with the ledger."""
    worker = get_current()
    worker.tick(
        Task.LEDGER_APPLY_EFFECTS, lambda: usage.apply_effects(worker.database, worker.redis)
    )


@task(Task.HOLDS_SWEEP)
def sweep_holds() -> None:
    """Give back what calls hold whose process died."""
    worker = get_current()
    worker.tick(Task.HOLDS_SWEEP, lambda: _sweep(worker))


@task(Task.LEDGER_VERIFY)
def verify() -> None:
    """Compare everything derived with the ledger."""
    worker = get_current()
    worker.tick(Task.LEDGER_VERIFY, lambda: _verify(worker))


def _drain(worker: WorkerProcess) -> None:
    drained = usage.drain_once(
        worker.database, worker.redis, worker.settings.drain, worker.new_owner()
    )
    if drained.count:
        _log.debug("drained", count=drained.count, remaining=drained.remaining)


def _sweep(worker: WorkerProcess) -> None:
    while swept := admission.sweep(worker.redis, SWEEP_AT_ONCE):
        _log.warning("holds_swept", count=swept)
        if swept < SWEEP_AT_ONCE:
            return


def _verify(worker: WorkerProcess) -> None:
    differences = ledger.verify(worker.database, worker.redis)
    for difference in differences[:SHOWN_DIFFERENCES]:
        _log.error("ledger_difference", difference=difference)
    _log.info("ledger_verified", differences=len(differences))
