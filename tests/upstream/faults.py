"""What an upstream can be told to do wrong, written as suffixes of the model's name.

Suffixes are dash separated, combinable and in any order: ``demo-chat-n100-d10-k5``. Those at the
end of the name count, back to the first part that is none; the first part never is one. (So
vendors' own names may bite: ``kimi-k2`` is cut after two events.) The same syntax without a name
(``e500-x2``) is used by ``POST /__control/faults``, which refuses what it does not know. Events
are counted from 1, the role chunk (``message_start``) is the first. Anthropic's finish event, which
reports the usage too, is ``message_delta``.

Shape and pace
    nN         N content pieces per choice, numbered `` tok00000`` and so on
    sBYTES     bytes of each piece
    rN         N reasoning pieces first (``reasoning``: 8; also if the name contains "reason")
    think      reasoning (8 pieces, or rN) is ``<think>…</think>`` at the start of the content
    interleave the arguments of parallel calls come in turns, as always where a format can
    extra      OpenAI: tool calls carry a thought signature, without which they may not come back
    sigcheck   Anthropic, if thinking is enabled: an assistant turn with tool_use may only come
               back beginning with its thinking and the signature that was given for it
    tMS        wait before the first byte, errors included
    hMS        headers at once, then wait before the first event (or the JSON body)
    dMS        time between two events
    bN         N events per write
    split      write in fragments of 1, 2, 3, 5, 7, 11, 13 bytes; with bN across events
    crlf       CRLF line ends
    comment    an SSE comment before each event
Reported usage
    uN  pN         completion and prompt tokens
    caN  cwN       how many of the prompt were read from a cache, or (Anthropic) written to one
    hugeusage      u1000000000-p1000000000
    nousage        never report usage
Errors before an answer
    eSTATUS    this status with the vendor's error body
    raSECONDS  Retry-After on the error
    ctx        400, context length exceeded
    policy     400, content filter
    quota      429, insufficient quota
    noprefix   400 if the last message is the assistant's, otherwise normal
    refuse     close the connection (RST) before the first byte
    hang       never answer
Wrong answers
    badjson    200 and JSON cut in the middle
    html       200 and an HTML page
    empty      200 and nothing
    jsonstream JSON although a stream was asked for
Broken streams (a JSON answer stops at half its body for k, c and q)
    kN         RST after N events; k0 after the headers
    cN         FIN after N events, without the end of the HTTP body
    qN         silence after N events
    jN         event N is not JSON, an extra one: nothing else is lost
    errN       an error event after N events, then a clean end
    midfinish  a clean end of the HTTP body before the finish event; midfinishN after N events
    nodone     complete, but no terminator (``[DONE]``, ``message_stop``)
Tests' own
    gateNAME   wait for ``POST /__control/gate/NAME/open`` before the first byte (``.head``);
               gateNAME.N after N events (0: headers are out), gateNAME.finish before the finish
               event, .usage before the usage event, .done before the terminator, .end after it.
               A JSON answer knows .head, .0 (headers are out) and .end.
    xK         the failing suffixes hold for the first K requests to this very model name; can
               be glued to any suffix but gate (``e503x2``, ``k5x1``, ``hangx1``). Shape, pace and
               reported tokens stay.
"""

import re
from dataclasses import dataclass, fields, replace
from functools import lru_cache
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
    "x": "times",
}
HARMLESS_FLAGS = frozenset({"split", "crlf", "comment", "think", "interleave", "extra", "sigcheck"})
FAILING_FLAGS = frozenset(
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
)

_numbered = re.compile(r"([a-z]+)(\d{1,10})(?:x(\d{1,6}))?")
_flag_times = re.compile(r"([a-z]+)x(\d{1,6})")
_gate = re.compile(r"gate([A-Za-z0-9_]+)(?:\.(\d{1,6}|head|finish|usage|done|end))?")


class UnknownSuffixError(ValueError):
    """A suffix that is not in the table."""


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


def parse_suffix(suffix: str) -> Fault | None:
    """The fault of one suffix, ``None`` if it is not in the table."""
    if suffix in MACROS:
        return Fault(**MACROS[suffix])
    if found := _gate.fullmatch(suffix):
        return Fault(gates=((found.group(1), found.group(2) or "head"),))
    return _parse_flag(suffix) or _parse_numbered(suffix)


def _parse_flag(suffix: str) -> Fault | None:
    if suffix in FLAGS:
        return Fault(flags=frozenset({suffix}))
    found = _flag_times.fullmatch(suffix)
    if found is None or found.group(1) not in FLAGS:
        return None
    return Fault(flags=frozenset({found.group(1)}), times=int(found.group(2)))


def _parse_numbered(suffix: str) -> Fault | None:
    found = _numbered.fullmatch(suffix)
    if found is None:
        return None
    name, number, times = found.groups()
    return _build_numbered(name, int(number), int(times) if times else None)


def _build_numbered(name: str, number: int, times: int | None) -> Fault | None:
    if name not in NUMBERED or (name == "e" and not 300 <= number <= 599):
        return None
    if name in {"b", "s", "j"} and number == 0:
        return None
    said: dict[str, Any] = {"times": times, NUMBERED[name]: number}
    return Fault(**said)


def parse_spec(spec: str) -> Fault:
    """The fault of suffixes without a model name; raises ``UnknownSuffixError``."""
    fault = NO_FAULT
    for suffix in spec.strip("-").split("-"):
        found = parse_suffix(suffix)
        if found is None:
            raise UnknownSuffixError(f"{suffix!r} is no suffix: see tests/upstream/faults.py")
        fault = found.over(fault)
    return fault


@lru_cache(maxsize=4096)
def parse_model(model: str) -> Fault:
    fault = NO_FAULT
    suffixes = model.split("-")[1:]
    while suffixes and (found := parse_suffix(suffixes.pop())):
        fault = fault.over(found)
    if "reason" in model and fault.reasoning is None:
        return replace(fault, reasoning=DEFAULT_REASONING)
    return fault
