"""What to do after a failed attempt: a pure decision, stated as a table.

================================  =====================================================
what failed                       then
================================  =====================================================
rate limited                      another key or backend of the model at once; with none,
                                  the same one after the time it named (3 s at most) or
                                  after a growing pause; then the fallback model
500, 502, 504                     the same backend once more at once, then others
no connection, no proper answer   others; with none, the same once more
503, 529                          others; with none, the same once more after a pause
silence                           others; this backend is not asked again
our key, the model there          others
the caller                        nothing; too long a prompt: a model with more room
================================  =====================================================

Within the budget of retries; the last one is kept for a fallback model that was not tried.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import (
    Blame,
    UpstreamContentPolicyError,
    UpstreamContextLengthError,
    UpstreamError,
    UpstreamRateLimitedError,
    UpstreamTimeoutError,
)

LONGEST_WAIT_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 0.5
QUICK_PAUSE_SECONDS = 0.05
MOST_ON_ONE = 3
ONCE_MORE = frozenset((500, 502, 504))
BUSY = frozenset((503, 529))


class Move(StrEnum):
    SAME = "same"  # the same target, then others
    OTHER = "other"  # another target, then fallbacks
    FALLBACK = "fallback"  # fallback models only
    LARGER = "larger"  # models with more room only
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Situation:
    error: UpstreamError
    tries_left: int
    tries_here: int  # at the target that failed, at least 1
    has_others: bool  # of the same model
    has_fallbacks: bool
    is_policy_retried: bool = False


STOP = (Move.STOP, 0.0)


def next_move(now: Situation, jitter: float) -> tuple[Move, float]:
    """The move and how many seconds to wait before it; ``jitter`` is from 0 to 1."""
    error = now.error
    if now.tries_left <= 0 or error.blame is Blame.CALLER:
        return _of_the_caller(now) if now.tries_left > 0 else STOP
    if now.tries_left == 1 and now.has_fallbacks:
        return Move.FALLBACK, 0.0
    if isinstance(error, UpstreamRateLimitedError):
        return _limited(now, jitter)
    if _deserves_another(now):
        return Move.SAME, QUICK_PAUSE_SECONDS * jitter
    return _alone(now, jitter) if _is_busy_and_alone(now) else _elsewhere(now)


def _of_the_caller(now: Situation) -> tuple[Move, float]:
    if isinstance(now.error, UpstreamContextLengthError):
        return Move.LARGER, 0.0
    if isinstance(now.error, UpstreamContentPolicyError) and now.is_policy_retried:
        is_last = now.tries_left == 1 and now.has_fallbacks
        return (Move.FALLBACK, 0.0) if is_last else _elsewhere(now)
    return STOP


def _limited(now: Situation, jitter: float) -> tuple[Move, float]:
    if now.has_others:
        return Move.OTHER, 0.0
    wait = now.error.retry_after_seconds
    if wait is None:
        wait = FIRST_PAUSE_SECONDS * 2 ** (now.tries_here - 1) * (1 + jitter / 2)
    if wait <= LONGEST_WAIT_SECONDS and now.tries_here < MOST_ON_ONE:
        return Move.SAME, wait
    return _elsewhere(now)


def _deserves_another(now: Situation) -> bool:
    """Whether the very same target is tried again before any other."""
    error = now.error
    if now.tries_here > 1 or isinstance(error, UpstreamTimeoutError):
        return False
    if error.blame is not Blame.BACKEND:
        return False
    if error.upstream_status in ONCE_MORE:
        return True
    has_elsewhere = now.has_others or now.has_fallbacks
    return error.upstream_status is None and not has_elsewhere


def _is_busy_and_alone(now: Situation) -> bool:
    is_busy = now.error.upstream_status in BUSY and now.error.blame is Blame.BACKEND
    return is_busy and not (now.has_others or now.has_fallbacks)


def _alone(now: Situation, jitter: float) -> tuple[Move, float]:
    """Once more after a pause, where nobody else could answer."""
    wait = now.error.retry_after_seconds
    if wait is None:
        wait = FIRST_PAUSE_SECONDS * (1 + jitter / 2)
    is_worth_it = now.tries_here == 1 and wait <= LONGEST_WAIT_SECONDS
    return (Move.SAME, wait) if is_worth_it else STOP


def _elsewhere(now: Situation) -> tuple[Move, float]:
    if now.has_others:
        return Move.OTHER, 0.0
    return (Move.FALLBACK, 0.0) if now.has_fallbacks else STOP
