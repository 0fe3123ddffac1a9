"""The base class of all tables and the column types they share."""

import datetime as dt
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcTimestamp(TypeDecorator[dt.datetime]):
    """Aware UTC times on both engines; SQLite itself keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401
        if value is not None and value.tzinfo is None:
            msg = "times are aware; use clock.now()"
            raise ValueError(msg)
        if value is not None and dialect.name == "sqlite":
            return value.astimezone(dt.UTC).replace(tzinfo=None)
        return value

    def process_result_value(
        self,
        value: dt.datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> dt.datetime | None:
        if value is not None and value.tzinfo is None:
            return value.replace(tzinfo=dt.UTC)
        return value


Id = Uuid(as_uuid=False)
Json = JSON().with_variant(JSONB(), "postgresql")
# SQLite counts up only an INTEGER primary key.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: String(255),
        int: BigInteger,
        dt.datetime: UtcTimestamp,
    }


class Row:
    """What nearly every table starts with."""

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class Allowance:
    """A spending limit in nanos; ``used`` and ``lifetime_used`` are projections of the ledger."""

    limit_nanos: Mapped[int | None]
    used_nanos: Mapped[int] = mapped_column(default=0)
    lifetime_used_nanos: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[dt.datetime | None]


LongText = Text
