"""What admission and settlement write down: one format for journal, stream and drain.

Both structures travel as JSON arrays. Fields are only ever appended, each with a
default, so that a process of the previous release and one of the next read each other.
"""

from typing import Any

import msgspec

Usage = list[tuple[str, str, int]]
"""Quantities by (dimension, variant). Dimensions never overlap: nothing is counted twice."""


class AttemptRecord(msgspec.Struct, array_like=True, frozen=True):
    """One try at one backend."""

    backend_id: str
    provider_key_id: str | None
    upstream_model: str
    outcome: str
    http_status: int | None
    error: str | None
    started_ms: int  # after the start of the call
    duration_ms: int
    cost_nanos: int = 0


class HoldInfo(msgspec.Struct, array_like=True, frozen=True):
    """What a record needs of a call whose process dies before it can settle."""

    version: int
    reference: str
    started_ms: int  # since the Unix epoch
    user_id: str
    app_id: str | None
    api_key_id: str | None
    model_id: str
    model: str
    surface: str
    operation: str
    stream: bool
    held_nanos: int
    price_version_id: str | None
    client_ip: str = ""
    user_agent: str = ""
    process_id: str = ""


class Settlement(msgspec.Struct, array_like=True, frozen=True):
    """The end of one call: its one final ledger entry and its one record."""

    hold: HoldInfo
    kind: str  # models.EntryKind: charge or release
    amount_nanos: int  # what the user pays
    overrun_nanos: int  # what the hold did not cover and the operator bears
    cost_nanos: int  # what the answering attempt cost us upstream
    usage: Usage
    basis: str
    disconnect_policy: str | None
    status: str  # models.RequestStatus
    http_status: int
    error_code: str | None
    answered_model: str
    backend_id: str | None
    region: str
    ended_ms: int
    first_byte_ms: int | None  # after the start of the call
    attempts: list[AttemptRecord]
    details: dict[str, Any] = {}


_encoder = msgspec.json.Encoder()
_settlements = msgspec.json.Decoder(Settlement)
_holds = msgspec.json.Decoder(HoldInfo)

encode = _encoder.encode
decode_settlement = _settlements.decode
decode_hold = _holds.decode

# Fields of one entry of the stream.
KIND = b"t"  # b"settle" or b"abandon"
LATE = b"l"  # b"1": the allowance in Redis has not felt this entry
USER = b"u"
APP = b"a"
API_KEY = b"k"
AMOUNT = b"n"
EVENT = b"e"  # Settlement of "settle", HoldInfo of "abandon"

SETTLE = b"settle"
ABANDON = b"abandon"
