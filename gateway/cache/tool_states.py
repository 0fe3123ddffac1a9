"""What vendors must get back with a tool call, kept for the conversation that goes on.

Failure policy: open. A state that cannot be read or kept costs a vendor's refusal at worst.
"""

import asyncio
from collections.abc import Mapping, Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway import log
from gateway.cache import keys

LIFE_SECONDS = 3 * 24 * 3600
LIMIT_SECONDS = 0.25
MOST_IDS = 200
LONGEST_ID = 256

_log = log.get(__name__)


class ToolStates:
    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    async def keep(self, user_id: str, states: Mapping[str, bytes]) -> None:
        """Remember states by the ids of their tool calls; other users cannot see them."""
        try:
            async with (
                asyncio.timeout(LIMIT_SECONDS),
                self._redis.pipeline(transaction=False) as pipeline,
            ):
                for id_, state in states.items():
                    pipeline.set(keys.tool_state(user_id, id_), state, ex=LIFE_SECONDS)
                await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("tool_state_not_kept", error=repr(error))

    async def recall(self, user_id: str, ids: Sequence[str]) -> dict[str, bytes]:
        """The states that are known, by id."""
        wanted = [id_ for id_ in dict.fromkeys(ids) if len(id_) <= LONGEST_ID][-MOST_IDS:]
        if not wanted:
            return {}
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                found = await self._redis.mget([keys.tool_state(user_id, id_) for id_ in wanted])
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("tool_state_not_read", error=repr(error))
            return {}
        known = zip(wanted, found, strict=True)
        return {id_: state for id_, state in known if isinstance(state, bytes)}
