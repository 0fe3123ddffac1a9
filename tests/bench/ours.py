"""The gateway as it is measured: admission, billing and records on, nothing switched off."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import httpx
import msgspec
from redis import Redis

from gateway import crypto
from gateway.cache import keys
from gateway.configuration.apply import apply
from gateway.configuration.document import Document
from gateway.db import Database, migrate
from gateway.settings import DatabaseSettings
from tests.bench.load import Target
from tests.bench.machine import Cpus, Pinning, pinned
from tests.bench.processes import Program, free_port
from tests.bench.scenarios import MESSAGES_MODELS, MODELS
from tests.servers.redis import RedisServer

ROOT = Path(__file__).parents[2]
KEY = "llm-bench-0123456789abcdef"
START_SECONDS = 60
DRAIN_SECONDS = 30
# USD per million tokens.
PRICES = {"input": "1", "output": "2"}


class Ours:
    """Redis, worker, beat and API processes over one database; use as a context."""

    def __init__(self, database_url: str, upstream_url: str, state: Path, pinning: Pinning) -> None:
        self.state = state
        self.pinning = pinning
        self.apis: list[Program] = []
        self._others: list[Program] = []
        self.redis = RedisServer()
        self.environment = {
            "SLUICE_STATE_DIR": str(state),
            "SLUICE_DATABASE_URL": database_url,
            "SLUICE_REDIS_URL": self.redis.url,
        }
        migrate.upgrade(database_url)
        self.database = Database.connect(database_url, DatabaseSettings(), "bench")
        self._configure(upstream_url)

    def _configure(self, upstream_url: str) -> None:
        sealer = crypto.Sealer(crypto.load_or_create_key(self.state))
        with self.database.transaction() as session:
            apply(session, sealer, msgspec.convert(document(upstream_url), Document))

    def __enter__(self) -> Self:
        with pinned(self.pinning.state):
            self.redis.start()
        for module in ("workers", "beat"):
            self._others.append(self._program(module, [], self.pinning.state, module))
        return self

    def __exit__(self, *_: object) -> None:
        for program in (*self.apis, *self._others):
            program.stop()
        self.database.close()
        self.redis.discard()

    def add_api(self, cpus: Cpus, port: int | None = None) -> int:
        """One more API process; those given the same port share it."""
        port = port or free_port()
        name = f"api-{len(self.apis)}"
        arguments = ["--port", str(port), "--reuse-port"]
        api = self._program("api", arguments, cpus, name)
        self.apis.append(api)
        api.wait_until(lambda: _answers(port), START_SECONDS)
        return port

    def _program(self, module: str, arguments: list[str], cpus: Cpus, name: str) -> Program:
        command = [sys.executable, "-m", module, *arguments]
        return Program(command, cpus, self.state / f"{name}.log", self.environment, ROOT)

    def target(self, port: int, apis: Sequence[Program], name: str = "sluice") -> Target:
        parts = {
            "api": [api.pid for api in apis],
            "redis": [self.redis.pid],
            "drain": [program.pid for program in self._others],
        }
        return Target(name, f"http://127.0.0.1:{port}", KEY, (), parts)

    def backlog(self, client: Redis) -> int:
        """Settlements that wait for the drain."""
        return int(client.xlen(keys.STREAM))

    def wait_drained(self) -> None:
        """Until everything that was settled stands in the ledger."""
        deadline = time.monotonic() + DRAIN_SECONDS
        with self.redis.client() as client:
            while self.backlog(client):
                if time.monotonic() > deadline:
                    message = f"not drained after {DRAIN_SECONDS} s: {self.backlog(client)} wait"
                    raise RuntimeError(message)
                time.sleep(0.1)


def _answers(port: int) -> bool:
    try:
        response = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2, trust_env=False)
    except httpx.HTTPError:
        return False
    return response.status_code == 200


def document(upstream_url: str) -> dict[str, object]:
    """A caller with every kind of limit that a call is counted against, all of them high."""
    limit = {"limit_usd": "100000"}
    key = {"name": "bench", "key": KEY, **limit}
    return {
        "policies": [
            {
                "name": "bench",
                "models": ["*"],
                "rate_limit": 1_000_000_000,
                "rate_limit_window_seconds": 60,
            }
        ],
        "providers": [
            _provider("fake", "openai", upstream_url),
            _provider("fake-messages", "anthropic", upstream_url),
        ],
        "models": [
            *(_model(name, "fake") for name in MODELS),
            *(_model(name, "fake-messages") for name in MESSAGES_MODELS),
        ],
        "users": [{"email": "bench@example.com", "policy": "bench", **limit, "keys": [key]}],
    }


def _provider(code: str, adapter: str, upstream_url: str) -> dict[str, object]:
    return {
        "code": code,
        "adapter": adapter,
        "backends": [{"slug": code, "base_url": f"{upstream_url}/v1"}],
        "keys": [{"secret": "sk-upstream-0123456789"}],
    }


def _model(name: str, backend: str) -> dict[str, object]:
    return {"slug": name, "type": "chat", "prices": PRICES, "backends": [backend]}
