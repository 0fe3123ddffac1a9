"""The settings of one process, read once from the environment when it starts.

Every variable is ``SLUICE_`` + section + ``__`` + field in capitals, for example
``SLUICE_API__WORKERS``. ``PORT``, ``DATABASE_URL`` and ``REDIS_URL`` are understood too.
"""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ApiSettings(Section):
    host: str = "127.0.0.1"
    workers: int = 1
    max_body_bytes: int = 32 * 1024 * 1024
    # Longest silent wait for an answer; the provider's own limits are tighter.
    response_timeout_seconds: float = 660
    graceful_shutdown_seconds: float = 300
    keep_alive_seconds: float = 75
    # A client that stops reading would pin an upstream stream for ever.
    send_timeout_seconds: float = 30
    # A stream that has nothing to say says so, for the sake of proxies that close silent ones.
    stream_ping_seconds: float = 15
    # Addresses of proxies whose forwarding headers are believed (addresses or CIDR).
    trusted_proxies: tuple[str, ...] = ()


class DatabaseSettings(Section):
    pool_size: int = 8
    # More units of work than this waiting for a connection are refused with 503.
    max_waiting: int = 512
    statement_timeout_seconds: float = 10
    busy_timeout_seconds: float = 15


class AdmissionSettings(Section):
    # A call that Redis cannot answer within this time gets 503.
    timeout_seconds: float = 0.25
    # "allow" serves without limits while Redis is away; usage is still charged afterwards.
    when_redis_is_down: Literal["refuse", "allow"] = "refuse"
    hold_lease_seconds: float = 60
    sweep_seconds: float = 5
    revision_poll_seconds: float = 1
    # Stream entries waiting for the drain; beyond it settlements stay in the journal only.
    max_backlog: int = 200_000
    # Output reserved for a model without a known maximum when the client names none.
    default_output_tokens: int = 4096
    # Less affordable output than this is refused rather than truncated.
    min_output_tokens: int = 16


class JournalSettings(Section):
    segment_bytes: int = 4 * 1024 * 1024
    # Segments beyond this are a full disk in the making: calls are refused.
    max_bytes: int = 1024 * 1024 * 1024
    sync_seconds: float = 0.1
    roll_seconds: float = 2


class SnapshotSettings(Section):
    max_keys: int = 50_000
    negative_seconds: float = 1
    # How old a snapshot may grow while the database cannot be asked.
    max_age_seconds: float = 3600


class UpstreamSettings(Section):
    """Limits of one attempt; a model or backend may set its own."""

    connect_seconds: float = 5
    # While another backend could still answer; the last one has the whole call's time.
    first_byte_seconds: float = 30  # of a plain answer
    first_event_seconds: float = 10  # with content, of a stream
    idle_seconds: float = 15
    total_seconds: float = 600
    retries: int = 2
    max_connections: int = 4096
    max_answer_bytes: int = 64 * 1024 * 1024
    # "drain": how long a stream is read on after its client left.
    drain_seconds: float = 60


class FetchSettings(Section):
    """Limits of fetching what a URL given by a user points to."""

    max_file_bytes: int = 20 * 1024 * 1024
    connection_seconds: float = 5
    deadline_seconds: float = 20  # over all redirects
    max_redirects: int = 3
    # Networks that are not public but may be fetched from all the same, on any port (CIDR).
    allowed_networks: tuple[str, ...] = ()

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ip_network(network, strict=False)
        return networks


class DrainSettings(Section):
    batch: int = 1000
    lease_seconds: float = 15
    tick_seconds: float = 1


class WorkerSettings(Section):
    threads: int = 8
    heartbeat_seconds: float = 10


class RetentionSettings(Section):
    requests_days: int = 90
    attempts_days: int = 30
    rollups_days: int = 800
    changes_days: int = 7
    delete_rows: int = 5000


class Settings(BaseSettings):
    """Everything a process is told from outside; invalid values stop it at start."""

    model_config = SettingsConfigDict(
        env_prefix="SLUICE_",
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    state_dir: Path = Path("var")
    port: int = Field(8080, validation_alias=AliasChoices("SLUICE_PORT", "PORT"))
    database_url: str = Field(
        "", validation_alias=AliasChoices("SLUICE_DATABASE_URL", "DATABASE_URL")
    )
    redis_url: str = Field("", validation_alias=AliasChoices("SLUICE_REDIS_URL", "REDIS_URL"))
    broker_url: str = ""
    # Seals provider keys and API keys at rest; empty: a generated file in the state directory.
    secret_key: SecretStr = SecretStr("")
    log_level: str = "INFO"
    log_format: Literal["json", "console"] = "console"
    region: str = ""

    api: ApiSettings = ApiSettings()
    database: DatabaseSettings = DatabaseSettings()
    admission: AdmissionSettings = AdmissionSettings()
    journal: JournalSettings = JournalSettings()
    snapshots: SnapshotSettings = SnapshotSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    fetch: FetchSettings = FetchSettings()
    drain: DrainSettings = DrainSettings()
    worker: WorkerSettings = WorkerSettings()
    retention: RetentionSettings = RetentionSettings()

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.state_dir.resolve() / 'sluice.db'}"

    @property
    def resolved_redis_url(self) -> str:
        return self.redis_url or f"unix://{self.state_dir.resolve() / 'redis.sock'}"

    @property
    def journal_dir(self) -> Path:
        return self.state_dir / "journal"


def load() -> Settings:
    """Read the environment; raises pydantic's ValidationError with every problem listed."""
    return Settings()


def environment() -> dict[str, str]:
    """A copy of the process's environment, for starting child processes."""
    return dict(os.environ)
