"""A gateway that all tests of one module share: each asks for a record or model of its own.

No test of that module may start another one: a process announces changes to every Redis it
knows, and the revisions of one gateway mean nothing to the other.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers import databases
from tests.servers.redis import RedisServer
from tests.stack.stack import Stack


@contextmanager
def stack_of_module(
    sqlite_template: Path,
    **options: Any,  # noqa: ANN401 -- those of Stack.start
) -> Generator[Stack]:
    """With SQLite and a Redis of its own, whose folder is the state directory."""
    redis = RedisServer()
    redis.start()
    try:
        url = databases.fresh_sqlite(sqlite_template, redis.folder)
        with Stack.start(url, redis, redis.folder, **options) as running:
            yield running
    finally:
        redis.discard()
