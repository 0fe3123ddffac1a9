"""What a vendor's failure means: whose fault it is, and whether another backend may do better.

Statuses decide first, then codes, words last: the same for every protocol.
"""

import re
from collections.abc import Mapping, Sequence

from gateway.errors import (
    Blame,
    UpstreamContentPolicyError,
    UpstreamContextLengthError,
    UpstreamError,
    UpstreamRateLimitedError,
    UpstreamRejectedError,
)
from gateway.protocols.canonical import UpstreamProblem
from gateway.protocols.cleaning import clean
from gateway.protocols.problems import read_upstream_error
from gateway.providers import words
from gateway.providers.waiting import retry_after

# Our credential: wrong, not allowed to, or out of money.
ACCOUNT_STATUS = frozenset((401, 402, 403))
# The caller asked for something the vendor will not do, wherever it is sent.
CALLERS_FAULT = frozenset((400, 404, 405, 409, 413, 415, 422))
LIMITED = 429
MISSING = 404
UNKNOWN = 500

# What an error event stands for, by a part of its code or type; the first that fits.
EVENT_STATUS = (
    ("overloaded", 529),
    ("unavailable", 503),
    ("timeout", 504),
    ("insufficient_quota", 429),
    ("rate_limit", 429),
    ("resource_exhausted", 429),
    ("too_many_requests", 429),
    ("billing", 402),
    ("authentication", 401),
    ("invalid_api_key", 401),
    ("permission", 403),
    ("model_not_found", 404),
    ("not_found_error", 404),
    ("request_too_large", 413),
    ("context_length", 400),
    ("content_filter", 400),
    ("content_policy", 400),
    ("invalid_request", 400),
)


class Classifying:
    """What every adapter makes of a failure; see ``Provider``."""

    def classify(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        secret: str,
        names: Sequence[str] = (),
    ) -> UpstreamError:
        problem = read_upstream_error(status, body)
        return _classified(status, problem, retry_after(headers), _shown(problem, secret, names))

    def classify_event(
        self, problem: UpstreamProblem, secret: str, names: Sequence[str] = ()
    ) -> UpstreamError:
        return _classified(event_status(problem), problem, None, _shown(problem, secret, names))


def event_status(problem: UpstreamProblem) -> int:
    """The status that the vendor would have answered with, had it failed before the stream."""
    for word in (problem.code, problem.type):
        text = (word or "").lower()
        if text.isdecimal() and 400 <= int(text) < 600:
            return int(text)
        for part, status in EVENT_STATUS:
            if part in text:
                return status
    return UNKNOWN


def _classified(
    status: int, problem: UpstreamProblem, wait_seconds: float | None, message: str
) -> UpstreamError:
    error = (
        _refused_content(status, problem, message)
        or _our_account(status, problem, message)
        or _limited(status, problem, message)
        or _no_such_model(status, problem, message)
    )
    if error is None and status in CALLERS_FAULT:
        error = _rejected(UpstreamRejectedError, status, problem, message)
    if error is None:
        error = UpstreamError(upstream_status=status, vendor=message)
    error.retry_after_seconds = wait_seconds
    return error


def _refused_content(status: int, problem: UpstreamProblem, message: str) -> UpstreamError | None:
    """Too long or against the rules: some say so behind statuses that mean something else."""
    if status == LIMITED:
        return None
    if _says(problem, words.CONTEXT_CODES, words.CONTEXT_PHRASES):
        return _rejected(UpstreamContextLengthError, status, problem, message)
    is_sent = status in CALLERS_FAULT or status in ACCOUNT_STATUS
    if is_sent and _says(problem, words.POLICY_CODES, words.POLICY_PHRASES):
        return _rejected(UpstreamContentPolicyError, status, problem, message)
    return None


def _our_account(status: int, problem: UpstreamProblem, message: str) -> UpstreamError | None:
    if status in ACCOUNT_STATUS or _says(problem, words.ACCOUNT_CODES, words.ACCOUNT_PHRASES):
        return UpstreamError(blame=Blame.KEY, upstream_status=status, vendor=message)
    return None


def _limited(status: int, problem: UpstreamProblem, message: str) -> UpstreamError | None:
    if status == LIMITED or _says(problem, words.LIMIT_CODES, ()):
        return UpstreamRateLimitedError(blame=Blame.KEY, upstream_status=status, vendor=message)
    return None


def _no_such_model(status: int, problem: UpstreamProblem, message: str) -> UpstreamError | None:
    if status not in CALLERS_FAULT:
        return None
    is_missing = _says(problem, words.MODEL_CODES, words.MODEL_PHRASES)
    if is_missing or (status == MISSING and _says(problem, (), words.MISSING_PHRASES)):
        return UpstreamError(blame=Blame.MODEL, upstream_status=status, vendor=message)
    if status == MISSING and problem.code is None and problem.type is None:
        # No vendor's answer, but that of a server which knows no such address.
        return UpstreamError(upstream_status=status, vendor=message)
    return None


def _rejected(
    kind: type[UpstreamRejectedError], status: int, problem: UpstreamProblem, message: str
) -> UpstreamError:
    return kind(
        message,
        blame=Blame.CALLER,
        upstream_status=status,
        vendor_code=problem.code,
        param=problem.param,
    )


def _says(
    problem: UpstreamProblem, codes: frozenset[str] | tuple[()], phrases: tuple[str, ...]
) -> bool:
    if any(word and word.lower() in codes for word in (problem.code, problem.type)):
        return True
    message = problem.message.lower()
    return any(phrase in message for phrase in phrases)


def _shown(problem: UpstreamProblem, secret: str, names: Sequence[str]) -> str:
    """The vendor's words without what would tell who he is to us; names only as whole words."""
    message = clean(problem.message, (secret,) if secret else ())
    if not names:
        return message
    known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{known})(?![\w-])", "[removed]", message, flags=re.IGNORECASE)
