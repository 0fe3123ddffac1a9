"""Redis clients; every one has a time-out, because a frozen Redis answers nothing for ever."""

from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry


def connect_async(url: str, timeout_seconds: float) -> "AsyncRedis":
    """One client of an event loop; a failed command is not repeated behind our back."""
    return AsyncRedis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=AsyncRetry(NoBackoff(), 0),
        decode_responses=False,
        protocol=2,
    )


def connect(url: str, timeout_seconds: float = 5) -> "Redis":
    """A blocking client, for workers and the command line."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=min(timeout_seconds, 2),
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
        protocol=2,
    )


class RedisClusterError(Exception):
    """The configured Redis is a cluster, whose scripts cannot span keys."""


def refuse_cluster(info: Mapping[str, Any]) -> None:
    """Look at INFO's server section: Redis Cluster would fail at the first admission."""
    if info.get("redis_mode") == "cluster":
        msg = (
            "Redis Cluster is not supported: admission needs all keys on one primary. "
            "Use a single Redis, Sentinel or a managed primary (docs/adr/0003)."
        )
        raise RedisClusterError(msg)
