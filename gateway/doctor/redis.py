"""Redis: reachable, new enough, set up to lose nothing, and how far the drain is behind."""

from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from gateway import clock
from gateway.cache import connect, keys
from gateway.doctor.findings import Finding, Level
from gateway.settings import Settings

SUBJECT = "Redis"
OLDEST = (6, 2)
LATE_SECONDS = 60


def check_redis(settings: Settings) -> list[Finding]:
    try:
        client = connect(settings.resolved_redis_url, timeout_seconds=2)
    except ValueError as error:
        return [Finding(Level.ERROR, SUBJECT, str(error), "correct REDIS_URL")]
    try:
        info: dict[str, Any] = client.info("everything")
        return [*_server(info), *_safety(info), *_contents(client, settings)]
    except RedisError as error:
        message = f"cannot be used: {error}"
        advice = "start it (`sluice up` brings its own), or correct REDIS_URL"
        return [Finding(Level.ERROR, SUBJECT, message, advice)]
    finally:
        client.close()


def _server(info: dict[str, Any]) -> Iterator[Finding]:
    version = str(info["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        message = f"version {version} is too old"
        yield Finding(Level.ERROR, SUBJECT, message, "use version 6.2 or newer")
    else:
        yield Finding(Level.OK, SUBJECT, f"version {version}")
    if info.get("cluster_enabled"):
        advice = "use a single Redis, Sentinel or a managed primary"
        yield Finding(Level.ERROR, SUBJECT, "is a cluster, whose scripts cannot span keys", advice)


def _safety(info: dict[str, Any]) -> Iterator[Finding]:
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        message = f"evicts keys when its memory is full ({policy}): holds and queues would vanish"
        yield Finding(Level.ERROR, SUBJECT, message, "set maxmemory-policy noeviction")
    if not info.get("aof_enabled"):
        message = "keeps no append-only file: a restart empties it, and recovery takes seconds"
        yield Finding(Level.WARN, SUBJECT, message, "set appendonly yes")


def _contents(client: "Redis", settings: Settings) -> Iterator[Finding]:
    if not client.exists(keys.EPOCH):
        message = "was emptied, or nothing has run on it yet"
        yield Finding(Level.WARN, SUBJECT, message, "the API builds it up again when it starts")
    waiting = client.xlen(keys.STREAM)
    oldest: Any = client.xrange(keys.STREAM, count=1)
    age_seconds = 0.0
    if oldest:
        milliseconds, _, _ = oldest[0][0].partition(b"-")
        age_seconds = max(0.0, (clock.now_ms() - int(milliseconds)) / 1000)
    message = f"{waiting} settlements wait for the ledger, the oldest for {age_seconds:.0f} s"
    if age_seconds > LATE_SECONDS or waiting > settings.admission.max_backlog / 2:
        advice = "see that a worker and beat run and the database is not overloaded"
        yield Finding(Level.WARN, "drain", message, advice)
    else:
        yield Finding(Level.OK, "drain", message)
