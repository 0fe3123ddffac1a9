"""The one Lua script behind admission, put together from its parts, and blocking calls of it."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files

from redis import Redis
from redis.exceptions import NoScriptError, RedisError

from gateway.admission.operations import Bump, Operation, Sweep, Trim, encode
from gateway.cache import connect, keys
from gateway.db import Revised

PARTS = ("base", "meters", "backends", "admit", "settle", "upkeep", "dispatch")

Reply = list[bytes | int | list[list[bytes]]]


@cache
def source() -> str:
    folder = files("gateway.admission") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text() for part in PARTS)


@cache
def sha() -> str:
    return hashlib.sha1(source().encode(), usedforsecurity=False).hexdigest()


def run(client: Redis, operations: Sequence[Operation], epoch: bytes = b"") -> list[Reply]:
    """Run operations in a blocking client; without an epoch, the one Redis has now."""
    believed = epoch or client.get(keys.EPOCH) or b""
    arguments = [believed, *(encode(operation) for operation in operations)]
    try:
        return client.evalsha(sha(), 0, *arguments)  # type: ignore[no-any-return]
    except NoScriptError:
        return client.eval(source(), 0, *arguments)  # type: ignore[no-any-return]


def trim(client: Redis, watermark: str) -> None:
    """Take the entries up to ``watermark`` away; they are in the ledger."""
    run(client, [Trim(watermark)])


def sweep(client: Redis, limit: int = 500) -> int:
    """Turn holds whose lease has run out into abandoned entries; the number of them."""
    [reply] = run(client, [Sweep(limit)])
    return int(reply[1]) if reply[0] == b"OK" else 0  # type: ignore[arg-type]


def announce(client: Redis, revisions: Sequence[Revised]) -> None:
    """Make every snapshot older than these revisions stale, in all processes."""
    run(client, [Bump(r.kind, r.object_id, r.revision) for r in revisions])


def announcer(url: str) -> Callable[[list[Revised]], None]:
    """An announcer for short-lived processes; a Redis that is away is not waited for."""
    client = connect(url, timeout_seconds=1)

    def send(revisions: list[Revised]) -> None:
        try:
            announce(client, revisions)
        except RedisError as error:
            msg = "Redis is away; running processes find the change by their poll"
            raise ConnectionError(msg) from error

    return send
