"""What a command works on: the settings, the database and the key that seals secrets."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from redis.exceptions import RedisError

from gateway import admission, cache, crypto, db, log
from gateway import settings as settings_of
from gateway.crypto import Sealer
from gateway.db import Database
from gateway.settings import Settings

PING_SECONDS = 0.25


@dataclass
class Installation:
    settings: Settings
    database: Database

    @cached_property
    def sealer(self) -> Sealer:
        key = self.settings.secret_key.get_secret_value()
        if not key:
            self.settings.state_dir.mkdir(parents=True, exist_ok=True)
            key = crypto.load_or_create_key(self.settings.state_dir)
        return Sealer(key)


@contextmanager
def opened() -> Generator[Installation]:
    """Changes that are made within reach running processes at once, if Redis answers."""
    settings = settings_of.load()
    log.configure("WARNING", settings.log_format)
    database = Database.connect(
        settings.resolved_database_url,
        settings.database.model_copy(update={"pool_size": 1}),
        "sluice command",
    )
    _announce(settings.resolved_redis_url)
    try:
        yield Installation(settings, database)
    finally:
        database.close()


def _announce(redis_url: str) -> None:
    """Without Redis the processes find a change by their poll of the database."""
    client = cache.connect(redis_url, timeout_seconds=PING_SECONDS)
    try:
        client.ping()
    except RedisError:
        return
    finally:
        client.close()
    db.announce(admission.announcer(redis_url))
