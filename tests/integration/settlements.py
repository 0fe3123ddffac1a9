"""Accounts that pay, and settlements of calls that they made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from sqlalchemy import func, select

from gateway import clock, ids, pricing
from gateway.admission import events
from gateway.admission.events import AttemptRecord, HoldInfo, Settlement, Usage
from gateway.cache import keys
from gateway.db import Database, ReadSession, Session
from gateway.settings import DrainSettings
from models import (
    AIModel,
    ApiKey,
    App,
    LedgerEntry,
    Policy,
    PriceRow,
    PriceVersion,
    RequestRecord,
    Rollup,
    User,
)

PRICES = {("input", ""): 2_500_000_000, ("output", ""): 10_000_000_000}
EPOCH = "e1@run"
DRAIN = DrainSettings(batch=1000, lease_seconds=15, tick_seconds=1)
STARTED_MS = clock.now_ms()
BACKEND = ids.new_uuid()


@dataclass(frozen=True, slots=True)
class Payer:
    """One user with an app and a key, and the model they call."""

    user_id: str
    app_id: str
    api_key_id: str
    model_id: str
    price_version_id: str


def create_payers(
    database: Database, count: int = 1, limit_nanos: int | None = None
) -> list[Payer]:
    """Users with one app and one key each, who all call the same priced model."""
    now = clock.now()
    times = {"created_at": now, "updated_at": now}
    with database.transaction() as session:
        policy = Policy(id=ids.new_uuid(), name=ids.new("policy"), models=["*"], **times)
        session.add(policy)
        model_id, version_id = _create_model(session)
        first = (session.scalar(select(func.max(User.number))) or 10_000) + 1
        payers = [
            Payer(ids.new_uuid(), ids.new_uuid(), ids.new_uuid(), model_id, version_id)
            for _ in range(count)
        ]
        shared = times | {"status": "active", "limit_nanos": limit_nanos}
        for number, payer in enumerate(payers, start=first):
            user = User(id=payer.user_id, number=number, role="user", policy_id=policy.id, **shared)
            session.add(user)
        session.flush()
        for number, payer in enumerate(payers, start=first):
            session.add(
                App(id=payer.app_id, number=number, user_id=payer.user_id, name="app", **shared)
            )
        session.flush()
        session.add_all(_build_key(payer, shared) for payer in payers)
    return payers


def _create_model(session: Session) -> tuple[str, str]:
    """The ids of a model and of its price version."""
    now = clock.now()
    model = AIModel(
        id=ids.new_uuid(),
        slug=ids.new("m"),
        type="chat",
        load_balancing="weighted",
        created_at=now,
        updated_at=now,
    )
    session.add(model)
    session.flush()
    version = PriceVersion(id=ids.new_uuid(), model_id=model.id, version=1, created_at=now)
    session.add(version)
    session.flush()
    for (dimension, variant), price in PRICES.items():
        row = PriceRow(
            price_version_id=version.id,
            dimension=dimension,
            variant=variant,
            nanos_per_million=price,
        )
        session.add(row)
    return model.id, version.id


def _build_key(payer: Payer, shared: dict[str, Any]) -> ApiKey:
    return ApiKey(
        id=payer.api_key_id,
        user_id=payer.user_id,
        app_id=payer.app_id,
        name="key",
        key_hash=payer.api_key_id,
        key_sealed="",
        key_prefix="sk",
        **shared,
    )


def build_hold(
    payer: Payer, reference: str | None = None, started_ms: int = STARTED_MS
) -> HoldInfo:
    return HoldInfo(
        version=1,
        reference=reference or ids.new("req"),
        started_ms=started_ms,
        user_id=payer.user_id,
        app_id=payer.app_id,
        api_key_id=payer.api_key_id,
        model_id=payer.model_id,
        model="gpt-4o",
        surface="openai",
        operation="chat",
        stream=False,
        held_nanos=1_000_000,
        price_version_id=payer.price_version_id,
        client_ip="127.0.0.1",
        user_agent="tests",
    )


def build_settlement(
    hold: HoldInfo, usage: Usage | None = None, status: str = "succeeded"
) -> Settlement:
    usage = [("input", "", 120), ("output", "", 40)] if usage is None else usage
    charged = status == "succeeded"
    return Settlement(
        hold=hold,
        kind="charge" if charged else "release",
        amount_nanos=pricing.cost(usage, PRICES) if charged else 0,
        overrun_nanos=0,
        cost_nanos=100,
        usage=usage,
        basis="reported",
        disconnect_policy="cancel",
        status=status,
        http_status=200 if charged else 502,
        error_code=None if charged else "upstream_error",
        answered_model="gpt-4o-2024",
        backend_id=BACKEND,
        region="eu",
        ended_ms=hold.started_ms + 900,
        first_byte_ms=300,
        attempts=[AttemptRecord(BACKEND, None, "gpt-4o", "ok", 200, None, 1, 890, 100)],
    )


def settle_fields(settlement: Settlement, *, late: bool = False) -> dict[bytes, bytes]:
    """What the settle script appends."""
    hold = settlement.hold
    return {
        events.KIND: events.SETTLE,
        events.LATE: b"1" if late else b"0",
        events.USER: hold.user_id.encode(),
        events.APP: (hold.app_id or "").encode(),
        events.API_KEY: (hold.api_key_id or "").encode(),
        events.AMOUNT: str(settlement.amount_nanos).encode(),
        events.EVENT: events.encode(settlement),
    }


def abandon_fields(hold: HoldInfo) -> dict[bytes, bytes]:
    """What the sweep appends."""
    return {
        events.KIND: events.ABANDON,
        events.LATE: b"0",
        events.USER: hold.user_id.encode(),
        events.APP: (hold.app_id or "").encode(),
        events.API_KEY: (hold.api_key_id or "").encode(),
        events.AMOUNT: b"0",
        events.EVENT: events.encode(hold),
    }


def append(client: Redis, entries: Sequence[dict[bytes, bytes]]) -> None:
    pipeline = client.pipeline(transaction=False)
    pipeline.set(keys.EPOCH, EPOCH)
    for fields in entries:
        pipeline.xadd(keys.STREAM, fields)  # type: ignore[arg-type]
    pipeline.execute()


@dataclass(frozen=True, slots=True)
class Totals:
    """The same money, summed in four places."""

    requests: int
    rollups: int
    ledger: int
    used: int


def read_totals(session: ReadSession) -> Totals:
    return Totals(
        *(
            int(session.scalar(select(func.coalesce(func.sum(column), 0))) or 0)
            for column in (
                RequestRecord.charge_nanos,
                Rollup.charge_nanos,
                LedgerEntry.amount_nanos,
                User.used_nanos,
            )
        )
    )


def all_agree(totals: Totals, nanos: int) -> bool:
    return totals == Totals(nanos, nanos, nanos, nanos)


def count(database: Database, model: type) -> int:
    with database.snapshot() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def kinds(database: Database) -> list[tuple[str, str, int]]:
    with database.snapshot() as session:
        rows = session.execute(
            select(LedgerEntry.slot, LedgerEntry.kind, LedgerEntry.amount_nanos).order_by(
                LedgerEntry.id
            )
        )
        return [(row.slot, row.kind, row.amount_nanos) for row in rows]
