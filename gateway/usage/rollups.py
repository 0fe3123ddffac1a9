"""Rollups: sums per hour, moved in the transaction that writes the records they sum."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from gateway import ledger
from gateway.db import Session
from gateway.ledger import FAILED_STATUSES, NIL_ID, ROLLUP_COUNTERS, ROLLUP_KEY, SUMMED
from models import Rollup

Key = tuple[dt.datetime, str, str, str, str, str]


class Deltas:
    """What a batch adds to and takes from the rollups, summed up per row."""

    def __init__(self) -> None:
        self.sums: dict[Key, list[int]] = {}

    def add(self, requests: Iterable[dict[str, Any]], sign: int = 1) -> None:
        for row in requests:
            sums = self.sums.setdefault(_key(row), [0] * len(ROLLUP_COUNTERS))
            sums[0] += sign
            sums[1] += sign * (row["status"] in FAILED_STATUSES)
            for index, column in enumerate(SUMMED, start=2):
                sums[index] += sign * row[column]

    def write(self, session: Session) -> None:
        """In the order of keys, so that two transactions never wait for each other."""
        if not self.sums:
            return
        rows = [
            dict(zip(ROLLUP_KEY, key, strict=True)) | dict(zip(ROLLUP_COUNTERS, sums, strict=True))
            for key, sums in sorted(self.sums.items())
        ]
        ledger.insert_or_add(session, Rollup, rows, ROLLUP_COUNTERS)


def _key(row: dict[str, Any]) -> Key:
    return (
        row["created_at"].replace(minute=0, second=0, microsecond=0),
        row["user_id"],
        row["app_id"] or NIL_ID,
        row["api_key_id"] or NIL_ID,
        row["model_id"],
        row["backend_id"] or NIL_ID,
    )
