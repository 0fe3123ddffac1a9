"""An entry before it is written, and the slots that make it unique for its reference."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec

from models import Basis, EntryLevel

FINAL = "final"
ADJUSTMENT = "adjustment"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row to be; the fields are the columns of ``LedgerEntry``."""

    id: str
    created_at: dt.datetime
    reference: str
    slot: str
    kind: str
    user_id: str
    app_id: str | None = None
    api_key_id: str | None = None
    amount_nanos: int
    level: str = EntryLevel.ALL
    model_id: str | None = None
    overrun_nanos: int = 0
    held_nanos: int = 0
    price_version_id: str | None = None
    usage: Sequence[Sequence[Any]] = ()
    disconnect_policy: str | None = None
    basis: str = Basis.REPORTED
    note: str = ""
