"""Secrets at rest: sealing with the installation's key, hashing of API keys and passwords."""

import base64
import hashlib
import hmac
import os
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

KEY_FILE = "secret.key"

_passwords = PasswordHasher()


class UnreadableSecretError(Exception):
    """A sealed value was written with another key than the configured one."""


class Sealer:
    """Seals short secrets with AES and an authentication tag (Fernet).

    Several keys may be given while one is being replaced: the first seals, all open.
    """

    def __init__(self, *keys: str) -> None:
        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in keys])

    def seal(self, plain: str) -> str:
        return self._fernet.encrypt(plain.encode()).decode()

    def open(self, sealed: str) -> str:
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise UnreadableSecretError from error


def _fernet_key(key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())


def load_or_create_key(state_dir: Path) -> str:
    """The generated key of an embedded installation, made at first use with mode 0600."""
    path = state_dir / KEY_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        key = os.urandom(32).hex()
        file.write(key + "\n")
    return key


def hash_key(plain: str) -> str:
    """The look-up hash of an API key: SHA-256 of the whole key, hexadecimal."""
    return hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()


def hash_password(plain: str) -> str:
    return _passwords.hash(plain)


def verify_password(plain: str, hashed: str) -> bool:
    try:
        return _passwords.verify(hashed, plain)
    except (VerificationError, InvalidHashError):
        return False


def same(left: str, right: str) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def mask(secret: str) -> str:
    """What may be shown of a secret: the last four characters."""
    return f"***{secret[-4:]}" if secret else ""
