"""Identifiers: UUIDv7 for rows, prefixed and sortable ones for what clients see."""

import secrets

import uuid_utils


def new_uuid() -> str:
    """A primary key: UUIDv7 in its canonical text form."""
    return str(uuid_utils.uuid7())


def new(prefix: str) -> str:
    """A public id such as ``req_018f…``: sortable by time of creation."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def new_secret(prefix: str) -> str:
    """An API key: 64 hexadecimal digits of randomness behind a readable prefix."""
    return f"{prefix}-{secrets.token_hex(32)}"
