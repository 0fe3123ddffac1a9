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
Works: images, speech, transcriptions (made while the caller waits), videos, Midjourney tasks
    A Midjourney prompt says suffixes as its last word: ``a red cat --sim:stuck-work200``; so may
    the model in ``/mj/MODEL/submit``. Children of a task only inherit its pace. All that stands
    before the first byte (tMS, eN, hang, refuse, .head) is before the vendor has accepted; what
    breaks or spoils the answer (k, c, q, badjson, html, empty) is after it.
    workN      how long the work takes, in ms; else images and audio 0, videos and tasks 300
    pollN      the openai-poll-after-ms of videos, else 50
    idem       the Idempotency-Key of a submit is honoured: same answer, no second work
    cutaccept  accepted, but the submit is answered by RST before the first byte
    banned     refused: Midjourney code 24, OpenAI 400 moderation_blocked
    full       refused: code 23, 429
    noaccount  refused: code 3, 503
    invalid    refused: code 4, 400
    waits      accepted with code 22
    modal      accepted with code 21, waits for /submit/modal
    stuck      50 % for ever (images and audio: no answer)
    lost       accepted, then unknown: a video is 404, a task null
    failN      fails when N % are done
    oddstate   WARMING_UP in place of every state before the end
    nocancel   a task does not let itself be cancelled
    urlgone urlcut urlhang urltype urlhugeN
               the result's address: 404, RST at half, silence at half, an HTML page, N MiB
    hooktwice hookmixed hooklate hooknever
               callbacks: each twice; the last one first, when all is over; the last one only
               after the task was fetched as finished; none
Tests' own
    gateNAME   wait for ``POST /__control/gate/NAME/open`` before the first byte (``.head``);
               gateNAME.N after N events (0: headers are out), gateNAME.finish before the finish
               event, .usage before the usage event, .done before the terminator, .end after it.
               A JSON answer knows .head, .0 (headers are out) and .end. A work knows .accepted
               (counted by the vendor, submit not answered) and .finish (only for good: not
               finished while the gate is closed).
    xK         the failing suffixes hold for the first K requests to this very model name; can
               be glued to any suffix but gate (``e503x2``, ``k5x1``, ``hangx1``). Shape, pace and
               reported tokens stay.
"""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from tests.upstream.behaviour import DEFAULT_REASONING, FLAGS, MACROS, NO_FAULT, NUMBERED, Fault

__all__ = [
    "DEFAULT_REASONING",
    "FLAGS",
    "MACROS",
    "NO_FAULT",
    "NUMBERED",
    "Fault",
    "UnknownSuffixError",
    "parse_model",
    "parse_spec",
    "parse_suffix",
    "spoken_spec",
]

SPOKEN = "--sim:"

_numbered = re.compile(r"([a-z]+)(\d{1,10})(?:x(\d{1,6}))?")
_flag_times = re.compile(r"([a-z]+)x(\d{1,6})")
_gate = re.compile(r"gate([A-Za-z0-9_]+)(?:\.(\d{1,6}|head|finish|usage|done|end|accepted))?")


class UnknownSuffixError(ValueError):
    """A suffix that is not in the table."""


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
    if name in {"b", "s", "j", "urlhuge"} and number == 0:
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


def spoken_spec(prompt: str) -> str:
    """The suffixes that a prompt says with its last word."""
    words = prompt.split()
    return words[-1].removeprefix(SPOKEN) if words and words[-1].startswith(SPOKEN) else ""
