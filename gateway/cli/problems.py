"""Expected failures of a command, in lines that say what to do."""

import msgspec
from pydantic import ValidationError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway.crypto import KEY_FILE, UnreadableSecretError
from gateway.db.database import DatabaseDownError
from gateway.doctor import describe_invalid
from gateway.errors import GatewayError

MIGRATE = "the database has no tables of this version; run `sluice migrate`"
UNMIGRATED = (
    *("no such table", "no such column", "unable to open database file"),
    *("UndefinedTable", "UndefinedColumn"),
)
SEALED = (
    "the secrets in the database were sealed with another key; "
    f"bring back SLUICE_SECRET_KEY or {KEY_FILE} in the state directory"
)


def describe(error: Exception) -> list[str]:
    """One line per problem; none for what nobody expected, which is a bug."""
    if isinstance(error, ValidationError):
        return describe_invalid(error)
    if isinstance(error, DBAPIError | DatabaseDownError):
        return [_describe_database(error)]
    if isinstance(error, UnreadableSecretError):
        return [SEALED]
    if isinstance(error, RedisError):
        return [f"Redis cannot be used: {error}"]
    is_expected = isinstance(error, GatewayError | msgspec.ValidationError | OSError | ValueError)
    return [str(error)] if is_expected else []


def _describe_database(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, DatabaseDownError) else error
    if isinstance(cause, IntegrityError):
        return "another process changed the same objects at this moment; run it again"
    driver = getattr(cause, "orig", cause)
    reason = " ".join(str(driver).split())
    if any(sign in f"{type(driver).__name__} {reason}" for sign in UNMIGRATED):
        return MIGRATE
    return f"the database cannot be used: {reason}"
