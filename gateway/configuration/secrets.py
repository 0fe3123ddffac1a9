"""Secrets of an import: read from the file or the environment, sealed before they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway import crypto
from gateway.configuration.document import MIN_KEY_CHARACTERS, FromEnvironment, Secret
from gateway.configuration.problems import ConfigurationError
from gateway.crypto import Sealer

KEY_PREFIX_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Secrets:
    sealer: Sealer
    environment: Mapping[str, str] = field(repr=False)

    def read(self, secret: Secret, path: str) -> str:
        """The secret itself; raises if the variable it names is not set."""
        if not isinstance(secret, FromEnvironment):
            return secret
        plain = self.environment.get(secret.env, "")
        if not plain:
            msg = f"{path}: the environment variable {secret.env} is not set"
            raise ConfigurationError(msg)
        return plain

    def provider_key_columns(self, plain: str) -> dict[str, str]:
        return {"secret_sealed": self.sealer.seal(plain), "secret_hash": crypto.hash_key(plain)}

    def api_key_columns(self, plain: str, path: str) -> dict[str, str]:
        if len(plain) < MIN_KEY_CHARACTERS or not plain.isprintable() or " " in plain:
            msg = f"{path}: an API key has at least {MIN_KEY_CHARACTERS} characters and no spaces"
            raise ConfigurationError(msg)
        return {
            "key_sealed": self.sealer.seal(plain),
            "key_hash": crypto.hash_key(plain),
            "key_prefix": plain[:KEY_PREFIX_CHARACTERS],
        }
