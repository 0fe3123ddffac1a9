"""One gateway under test: database, Redis, simulator, API and worker processes."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
import openai
from sqlalchemy import func, select

from gateway import crypto, db
from gateway.admission import announcer
from gateway.configuration.apply import apply
from gateway.configuration.document import Document
from gateway.db import Database
from gateway.ledger import verify
from gateway.settings import DatabaseSettings, DrainSettings
from gateway.usage import drain_once
from models import ApiKey, LedgerEntry, RequestRecord, User
from tests.servers.redis import RedisServer
from tests.stack.processes import ApiProcess, ProductProcess
from tests.upstream.client import Simulator

KEY = "llm-" + "0123456789abcdef" * 4
EMAIL = "caller@example.com"
PRICES = {"input": "1", "output": "10"}  # USD per million tokens
FAST = {
    "SLUICE_ADMISSION__HOLD_LEASE_SECONDS": "2",
    "SLUICE_ADMISSION__SWEEP_SECONDS": "0.5",
    "SLUICE_ADMISSION__REVISION_POLL_SECONDS": "0.3",
    "SLUICE_JOURNAL__ROLL_SECONDS": "0.5",
    "SLUICE_DRAIN__TICK_SECONDS": "0.3",
    "SLUICE_DRAIN__LEASE_SECONDS": "2",
    "SLUICE_API__GRACEFUL_SHUTDOWN_SECONDS": "5",
    "SLUICE_LOG_FORMAT": "json",
}


class Stack:
    """``with Stack.start(...) as stack``; one provider "sim", one backend "sim", one caller."""

    def __init__(
        self,
        database_url: str,
        redis: RedisServer,
        state_dir: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.redis = redis
        self.state_dir = state_dir
        self.database = Database.connect(database_url, DatabaseSettings(), "test")
        self.sealer = crypto.Sealer(crypto.load_or_create_key(state_dir))
        self.environment = {
            **FAST,
            "SLUICE_STATE_DIR": str(state_dir),
            "SLUICE_DATABASE_URL": database_url,
            "SLUICE_REDIS_URL": redis.url,
            **(environment or {}),
        }
        self.apis: list[ApiProcess] = []
        self.others: list[ProductProcess] = []
        self.exits = ExitStack()
        self.simulator = self.exits.enter_context(Simulator.start(state_dir))
        self._announce = announcer(redis.url)
        db.announce(self._announce)

    @classmethod
    def start(
        cls,
        database_url: str,
        redis: RedisServer,
        state_dir: Path,
        *,
        apis: int = 1,
        worker: bool = False,
        models: Mapping[str, Mapping[str, Any]] | None = None,
        limit_usd: str | None = "100",
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """``models``: slug → fields of the import file; without any, "chat" and "embed"."""
        stack = cls(database_url, redis, state_dir, environment)
        stack.configure(models or {"chat": {}, "embed": {"type": "embedding"}}, limit_usd)
        for _ in range(apis):
            stack.add_api()
        if worker:
            stack.add_worker()
        return stack

    def configure(self, models: Mapping[str, Mapping[str, Any]], limit_usd: str | None) -> None:
        backend = {"slug": "sim", "base_url": self.simulator.openai_url}
        keys = [{"name": "k", "secret": "sk-upstream-secret"}]
        provider = {"code": "sim", "name": "Sim", "adapter": "openai", "backends": [backend]}
        key = {"name": "key", "key": KEY}
        user = {"email": EMAIL, "limit_usd": limit_usd, "keys": [key]}
        self.apply(
            {
                "policies": [{"name": "default", "models": ["*"]}],
                "providers": [{**provider, "keys": keys}],
                "models": [model_of(slug, fields) for slug, fields in models.items()],
                "users": [user],
            }
        )

    def apply(self, document: Mapping[str, Any]) -> None:
        """Import configuration as ``sluice import`` does, and announce it."""
        decoded = msgspec.convert(document, Document)
        with self.database.transaction() as session:
            apply(session, self.sealer, decoded)

    def add_model(self, slug: str, **fields: Any) -> None:  # noqa: ANN401
        self.apply({"models": [model_of(slug, fields)]})

    def add_api(self, port: int | None = None) -> ApiProcess:
        log = self.state_dir / f"api-{len(self.apis)}.log"
        api = ApiProcess(self.environment, log, port)
        self.apis.append(api)
        api.wait_ready()
        return api

    def add_worker(self) -> ProductProcess:
        """A worker and a beat, so that drain and sweeper run by themselves."""
        for module in ("workers", "beat"):
            log = self.state_dir / f"{module}.log"
            self.others.append(ProductProcess(module, [], self.environment, log))
        return self.others[-2]

    @property
    def url(self) -> str:
        return self.apis[0].url

    def openai(self, key: str = KEY, **options: Any) -> openai.OpenAI:  # noqa: ANN401
        options = {"max_retries": 0, "base_url": f"{self.url}/v1", **options}
        return openai.OpenAI(api_key=key, **options)

    def http(self, key: str = KEY, api: int = 0) -> httpx.Client:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.Client(
            base_url=self.apis[api].url, headers=headers, timeout=60, trust_env=False
        )

    def drain(self) -> int:
        """Write everything that is in the stream into the ledger, in this process."""
        total = 0
        with self.redis.client() as client:
            while True:
                drained = drain_once(self.database, client, DrainSettings(), "test")
                total += drained.count
                if not drained.remaining:
                    return total
                time.sleep(0.05)

    def wait_settled(self, requests: int, timeout_seconds: float = 20) -> None:
        """Until that many request records stand in the database; drains meanwhile."""
        self.wait_for(lambda: self._drained_count() >= requests, timeout_seconds)

    def _drained_count(self) -> int:
        self.drain()
        return len(self.requests())

    def wait_for(self, condition: Callable[[], bool], timeout_seconds: float = 20) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(condition)
            time.sleep(0.05)

    def requests(self) -> list[RequestRecord]:
        with self.database.snapshot() as session:
            return list(session.scalars(select(RequestRecord).order_by(RequestRecord.id)))

    def entries(self) -> list[LedgerEntry]:
        with self.database.snapshot() as session:
            return list(session.scalars(select(LedgerEntry).order_by(LedgerEntry.id)))

    def charged_nanos(self) -> int:
        with self.database.snapshot() as session:
            return int(session.scalar(select(func.sum(LedgerEntry.amount_nanos))) or 0)

    def user(self) -> User:
        with self.database.snapshot() as session:
            return session.scalars(select(User).where(User.email == EMAIL)).one()

    def api_key(self) -> ApiKey:
        with self.database.snapshot() as session:
            return session.scalars(select(ApiKey).where(ApiKey.name == "key")).one()

    def available_nanos(self, field: str = "u") -> int | None:
        """What Redis says is available on a level; None if it is not loaded."""
        with self.redis.client() as client:
            value = client.hget(f"sluice:1:u:{self.user().id}", field)
        return None if value is None else int(value)

    def open_holds(self) -> int:
        with self.redis.client() as client:
            return int(client.zcard("sluice:1:holds"))

    def differences(self) -> list[Any]:
        """What ``sluice ledger verify`` finds; empty when all is well."""
        with self.redis.client() as client:
            return list(verify(self.database, client))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in (*self.apis, *self.others):
            process.stop()
        db.withdraw(self._announce)
        self.exits.close()
        self.database.close()


def model_of(slug: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the import file, with an upstream model and prices unless given."""
    upstream = fields.get("upstream", "sim-chat")
    given = {name: value for name, value in fields.items() if name != "upstream"}
    return {
        "slug": slug,
        "type": "chat",
        "prices": PRICES,
        "backends": [{"backend": "sim", "upstream_model": upstream}],
        **given,
    }
