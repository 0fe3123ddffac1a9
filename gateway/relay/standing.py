"""What a key may spend and has spent, as its client is told.

Redis knows also what no ledger entry says yet, and holds of open calls count as spent there.
Where it cannot be asked the database's word, seconds old, has to do.
"""

import asyncio
import datetime as dt
from dataclasses import dataclass

from redis.exceptions import RedisError
from sqlalchemy import select

from gateway import log
from gateway.admission.allowances import UNLIMITED
from gateway.cache import keys
from gateway.db import ReadSession
from gateway.identity import Caller
from gateway.relay.deps import Deps
from models import ApiKey, App, User

LIMIT_SECONDS = 0.25

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    limit_nanos: int | None  # None: unlimited
    used_nanos: int
    ends_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class _Level:
    field: str  # of the user's allowances in Redis
    limit_nanos: int | None
    used_nanos: int


async def get_standing(deps: Deps, caller: Caller) -> Standing:
    """Of the key if it has a limit, else of the app if that has one, else of the user."""
    level = await deps.database.read(_level_of, caller)
    used = level.used_nanos
    if level.limit_nanos is not None:
        available = await _find_available(deps, caller.user_id, level.field)
        if available is not None:
            used = max(0, level.limit_nanos - available)
    return Standing(level.limit_nanos, used, _end_of(caller))


def _level_of(session: ReadSession, caller: Caller) -> _Level:
    levels = (
        (ApiKey, caller.api_key_id, f"k:{caller.api_key_id}"),
        (App, caller.app_id, f"a:{caller.app_id}"),
        (User, caller.user_id, "u"),
    )
    found = _Level("u", None, 0)
    for owner, owner_id, field in levels:
        of_owner = select(owner.limit_nanos, owner.used_nanos).where(owner.id == owner_id)
        row = session.execute(of_owner).one_or_none()
        if row is not None:
            found = _Level(field, row.limit_nanos, row.used_nanos)
            if found.limit_nanos is not None:
                break
    return found


async def _find_available(deps: Deps, user_id: str, field: str) -> int | None:
    """As admission counts it; None if it is not loaded."""
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            value = await deps.gate.redis.hget(keys.allowance(user_id), field)
    except (RedisError, OSError, TimeoutError) as error:
        _log.warning("allowance_not_read", error=repr(error))
        return None
    return None if value is None or value == UNLIMITED.encode() else int(value)


def _end_of(caller: Caller) -> dt.datetime | None:
    ends = (caller.valid_until, caller.allowance_ends_at)
    return min((end for end in ends if end is not None), default=None)
