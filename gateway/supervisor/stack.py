"""The processes of an installation on one machine, as data."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.settings import Settings
from gateway.supervisor import readiness
from gateway.supervisor.child import ChildSpec
from gateway.supervisor.memory import Memory
from gateway.supervisor.problems import StartError

# Whoever runs `sluice up` is waiting for it to end; a deployment gives streams more time.
LONGEST_GRACE_SECONDS = 10.0
# Between asking a process to end and forcing it, beyond what it may take itself.
MARGIN_SECONDS = 2.0
# A unix socket's path is limited by the kernel's address structure.
LONGEST_SOCKET_PATH = 107

API, WORKER, BEAT, FLOWER, SIMULATOR, REDIS = range(6)


@dataclass(frozen=True, slots=True)
class Stack:
    """How to run each kind of process for these settings."""

    settings: Settings
    environment: Mapping[str, str]
    memory: Memory

    @property
    def state_dir(self) -> Path:
        return self.settings.state_dir

    @property
    def local_host(self) -> str:
        """Where this machine reaches an API that may listen on every interface."""
        host = self.settings.api.host
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared only
        return f"[{host}]" if ":" in host else host

    @property
    def base_url(self) -> str:
        return f"http://{self.local_host}:{self.settings.port}"

    @property
    def flower_url(self) -> str:
        return f"http://127.0.0.1:{self.memory.flower_port}"

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.memory.simulator_port}"

    @property
    def simulator_ready_file(self) -> Path:
        return self.state_dir / "simulator.json"

    def redis(self, binary: Path) -> ChildSpec:
        """A private server: no port, a socket for its owner alone, at most a second is lost."""
        socket = self.state_dir / "redis.sock"
        if len(bytes(socket)) > LONGEST_SOCKET_PATH:
            msg = f"the state directory {self.state_dir} has too long a path; set SLUICE_STATE_DIR"
            raise StartError(msg)
        folder = self.state_dir / "redis"
        folder.mkdir(mode=0o700, exist_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # Evicting keys would silently delete holds and queues.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        flags = [word for name, value in options.items() for word in (f"--{name}", value)]
        return self._spec("redis", (str(binary), *flags), REDIS)

    def simulator(self) -> ChildSpec:
        port = str(self.memory.simulator_port)
        where = ("--host", "127.0.0.1", "--port", port)
        ready = ("--ready-file", str(self.simulator_ready_file))
        return self._spec("simulator", _python("tests.upstream", *where, *ready), SIMULATOR)

    def api(self, number: int) -> ChildSpec:
        """One process per worker, so that a killed one is replaced while the others serve on."""
        where = ("--host", self.settings.api.host, "--port", str(self.settings.port))
        return self._spec(f"api-{number}", _python("api", *where, "--reuse-port"), API)

    def worker(self) -> ChildSpec:
        return self._spec("worker", _python("workers"), WORKER)

    def beat(self) -> ChildSpec:
        return self._spec("beat", _python("beat"), BEAT)

    def flower(self) -> ChildSpec:
        """Read-only, on loopback; its password stays out of the process list."""
        options = {
            "FLOWER_ADDRESS": "127.0.0.1",
            "FLOWER_PORT": str(self.memory.flower_port),
            "FLOWER_BASIC_AUTH": f"{self.memory.flower_user}:{self.memory.flower_password}",
            "FLOWER_READ_ONLY": "true",
            "FLOWER_PERSISTENT": "true",
            "FLOWER_DB": str(self.state_dir / "flower.db"),
            "FLOWER_PURGE_OFFLINE_WORKERS": "600",
        }
        command = _python("celery", "-A", "workers.app", "flower")
        return self._spec("flower", command, FLOWER, essential=False, extra=options)

    def gateway(self) -> tuple[ChildSpec, ...]:
        """Everything that needs Redis and a migrated database."""
        apis = [self.api(number + 1) for number in range(self.settings.api.workers)]
        return (*apis, self.worker(), self.beat(), self.flower())

    def api_is_ready(self) -> bool:
        return readiness.http_answers(self.local_host, self.settings.port, "/readyz")

    @property
    def grace_seconds(self) -> float:
        return min(self.settings.api.graceful_shutdown_seconds, LONGEST_GRACE_SECONDS)

    def _spec(
        self,
        name: str,
        command: tuple[str, ...],
        stop_rank: int,
        *,
        essential: bool = True,
        extra: Mapping[str, str] | None = None,
    ) -> ChildSpec:
        ours = {
            "SLUICE_STATE_DIR": str(self.state_dir),
            "SLUICE_DATABASE_URL": self.settings.resolved_database_url,
            "SLUICE_REDIS_URL": self.settings.resolved_redis_url,
            "SLUICE_PORT": str(self.settings.port),
            "SLUICE_API__GRACEFUL_SHUTDOWN_SECONDS": f"{self.grace_seconds:g}",
            "PYTHONUNBUFFERED": "1",
        }
        return ChildSpec(
            name=name,
            command=command,
            environment={**self.environment, **ours, **(extra or {})},
            stop_rank=stop_rank,
            grace_seconds=self.grace_seconds + MARGIN_SECONDS,
            essential=essential,
        )


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)
