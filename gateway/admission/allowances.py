"""What the database knows of a user's allowances, to be loaded into Redis."""

from dataclasses import dataclass

from sqlalchemy import select

from gateway.db import USER, ReadSession
from gateway.db.revisions import get_revision
from models import ApiKey, App, DrainState, User

UNLIMITED = "inf"
SETTLEMENTS = "settlements"
START = "0-0"


@dataclass(frozen=True, slots=True)
class AllowanceBase:
    """Limit minus used of one user's levels, as of one point of the settlement stream."""

    user_id: str
    revision: int
    watermark: str
    # "u", "a:<app>", "k:<key>" → nanos as text, or "inf" without a limit
    available: dict[str, str]


def get_allowance_base(session: ReadSession, user_id: str) -> AllowanceBase:
    """Must run in one snapshot: sums and watermark belong together."""
    user = session.execute(
        select(User.limit_nanos, User.used_nanos).where(User.id == user_id)
    ).one()
    apps = session.execute(
        select(App.id, App.limit_nanos, App.used_nanos).where(App.user_id == user_id)
    )
    api_keys = session.execute(
        select(ApiKey.id, ApiKey.limit_nanos, ApiKey.used_nanos).where(ApiKey.user_id == user_id)
    )
    available = {"u": _available(user.limit_nanos, user.used_nanos)}
    available |= {f"a:{row.id}": _available(row.limit_nanos, row.used_nanos) for row in apps}
    available |= {f"k:{row.id}": _available(row.limit_nanos, row.used_nanos) for row in api_keys}
    watermark = session.execute(
        select(DrainState.watermark).where(DrainState.name == SETTLEMENTS)
    ).scalar_one_or_none()
    return AllowanceBase(
        user_id, get_revision(session, USER, user_id), watermark or START, available
    )


def _available(limit: int | None, used: int) -> str:
    return UNLIMITED if limit is None else str(limit - used)
