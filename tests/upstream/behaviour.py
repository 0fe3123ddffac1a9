"""One request's behaviour as a value, and which suffixes say it."""

from dataclasses import dataclass, fields, replace
from typing import Any

DEFAULT_REASONING = 8
HUGE = 1_000_000_000

NUMBERED = {
    "n": "pieces",
    "s": "piece_bytes",
    "r": "reasoning",
    "t": "first_byte_ms",
    "h": "first_event_ms",
    "d": "gap_ms",
    "b": "batch",
    "u": "completion_tokens",
    "p": "prompt_tokens",
    "ca": "cached_tokens",
    "cw": "cache_write_tokens",
    "e": "status",
    "ra": "retry_after",
    "k": "reset_after",
    "c": "close_after",
    "q": "quiet_after",
    "j": "garbage_at",
    "err": "error_after",
    "midfinish": "end_after",
    "work": "work_ms",
    "poll": "poll_after_ms",
    "fail": "fail_at",
    "urlhuge": "result_mib",
    "x": "times",
}
# What a work is and does, apart from being fast; see the table in tests/upstream/faults.py.
HARMLESS_WORK_FLAGS = frozenset({"idem", "waits", "modal"})
FAILING_WORK_FLAGS = frozenset(
    {
        "banned",
        "full",
        "noaccount",
        "invalid",
        "cutaccept",
        "stuck",
        "lost",
        "oddstate",
        "nocancel",
        "urlgone",
        "urlcut",
        "urlhang",
        "urltype",
        "hooktwice",
        "hookmixed",
        "hooklate",
        "hooknever",
    }
)
HARMLESS_FLAGS = HARMLESS_WORK_FLAGS | frozenset(
    {"split", "crlf", "comment", "think", "interleave", "extra", "sigcheck"}
)
FAILING_FLAGS = FAILING_WORK_FLAGS | frozenset(
    {
        "nousage",
        "ctx",
        "policy",
        "quota",
        "noprefix",
        "refuse",
        "hang",
        "badjson",
        "html",
        "empty",
        "jsonstream",
        "nodone",
        "midfinish",
    }
)
FLAGS = HARMLESS_FLAGS | FAILING_FLAGS
MACROS: dict[str, dict[str, Any]] = {
    "reasoning": {"reasoning": DEFAULT_REASONING},
    "hugeusage": {"completion_tokens": HUGE, "prompt_tokens": HUGE},
}
FAILING_FIELDS = (
    "status",
    "retry_after",
    "reset_after",
    "close_after",
    "quiet_after",
    "garbage_at",
    "error_after",
    "end_after",
    "times",
    "fail_at",
    "result_mib",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One request's behaviour; ``None`` leaves the default alone."""

    pieces: int | None = None
    piece_bytes: int | None = None
    reasoning: int | None = None
    first_byte_ms: int | None = None
    first_event_ms: int | None = None
    gap_ms: int | None = None
    batch: int | None = None
    completion_tokens: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    status: int | None = None
    retry_after: int | None = None
    reset_after: int | None = None
    close_after: int | None = None
    quiet_after: int | None = None
    garbage_at: int | None = None
    error_after: int | None = None
    end_after: int | None = None
    times: int | None = None
    work_ms: int | None = None
    poll_after_ms: int | None = None
    fail_at: int | None = None
    result_mib: int | None = None
    flags: frozenset[str] = frozenset()
    gates: tuple[tuple[str, str], ...] = ()

    def describe(self) -> str:
        numbers = [
            f"{suffix}{value}"
            for suffix, name in NUMBERED.items()
            if (value := getattr(self, name)) is not None
        ]
        gates = [f"gate{name}.{place}" for name, place in self.gates]
        return "-".join([*numbers, *sorted(self.flags), *gates])

    @property
    def stops_whole_body(self) -> bool:
        """Whether there is something to do between headers and end of a plain body."""
        return bool(self.first_event_ms or self.gates or self.breaks)

    @property
    def breaks(self) -> bool:
        return (self.reset_after, self.close_after, self.quiet_after) != (None, None, None)

    def breaks_at(self, count: int) -> bool:
        return count in (self.reset_after, self.close_after, self.quiet_after)

    def over(self, other: "Fault") -> "Fault":
        """This fault where it says something, the other where it does not."""
        said: dict[str, Any] = {
            name: value for name in _numbers if (value := getattr(self, name)) is not None
        }
        both = replace(other, **said)
        return replace(both, flags=self.flags | other.flags, gates=self.gates + other.gates)

    def healed(self) -> "Fault":
        calm: dict[str, Any] = dict.fromkeys(FAILING_FIELDS)
        return replace(self, **calm, flags=self.flags & HARMLESS_FLAGS)


_numbers = [field.name for field in fields(Fault) if field.name not in {"flags", "gates"}]

NO_FAULT = Fault()
