"""Since when request records are complete; older ones may have been purged, the ledger never is."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from gateway import clock
from gateway.db import ReadSession, Session
from models import Setting

NAME = "records.kept_since"
BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def get_kept_since(session: ReadSession) -> dt.datetime:
    """Every request admitted at or after this time still has its record."""
    value = session.scalar(select(Setting.value).where(Setting.name == NAME))
    return dt.datetime.fromisoformat(value["since"]) if value else BEGINNING


def keep_since(session: Session, since: dt.datetime) -> None:
    """Purging up to ``since`` begins; the mark only moves forward."""
    if since <= get_kept_since(session):
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    values = {"value": {"since": since.isoformat()}, "updated_at": clock.now()}
    session.execute(
        dialect.insert(Setting)
        .values(name=NAME, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )
