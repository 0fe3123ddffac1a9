"""The compose file: valid, without default secrets, and every service runs as it says.

No image is built here. Each command, environment and health check runs as a local process,
with addresses and folders of the containers replaced by those of this machine.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from sqlalchemy.engine import make_url

from gateway.queue import Queue
from gateway.supervisor import ports
from tests.servers import binaries, databases

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SECRETS = {
    "POSTGRES_PASSWORD": "letters1",
    "SLUICE_SECRET_KEY": "letters2",
    "FLOWER_BASIC_AUTH": "operator:letters3",
}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<how>[?-])(?P<rest>[^}]*))?\}")
STATE = "/var/lib/sluice"
HEALTHY_SECONDS = 60


def interpolated(text: str, variables: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if found := variables.get(match["name"]):
            return found
        if match["how"] != "-":
            raise KeyError(match["name"])
        return match["rest"]

    return VARIABLE.sub(value, text)


def services(variables: dict[str, str] = SECRETS) -> dict[str, dict[str, Any]]:
    content = yaml.safe_load(interpolated(COMPOSE.read_text(), variables))
    found: dict[str, dict[str, Any]] = content["services"]
    return found


def test_the_file_follows_the_compose_specification() -> None:
    schema = json.loads((Path(__file__).parent / "compose_spec.json").read_text())
    jsonschema.Draft201909Validator(schema).validate(yaml.safe_load(COMPOSE.read_text()))


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_has_a_default(secret: str) -> None:
    with pytest.raises(KeyError, match=secret):
        services({name: value for name, value in SECRETS.items() if name != secret})


def test_every_service_restarts_and_says_whether_it_is_healthy() -> None:
    for name, service in services().items():
        if name == "migrate":
            assert service["restart"] == "no"
        else:
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name


def test_who_needs_tables_waits_for_the_migration() -> None:
    ours = {name: s for name, s in services().items() if s.get("build")}
    for name, service in ours.items():
        conditions = {key: value["condition"] for key, value in service["depends_on"].items()}
        if name == "migrate":
            assert conditions == {"postgres": "service_healthy"}
        else:
            assert conditions["migrate"] == "service_completed_successfully", name


def test_journals_and_servers_keep_their_data_in_named_volumes() -> None:
    volumes = yaml.safe_load(COMPOSE.read_text())["volumes"]
    for name, service in services().items():
        (mount,) = service["volumes"]
        assert mount.partition(":")[0] in volumes, name


def test_every_queue_is_read_by_a_worker() -> None:
    commands = [service.get("command", "") for service in services().values()]
    for queue in Queue:
        assert f"sluice worker --group {queue.value}" in commands


class Machine:
    """This machine in the place of the containers."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.database = make_url(database_url)
        self.redis_port, self.api_port, self.flower_port = (ports.choose() for _ in range(3))
        tools = [Path(sys.executable).parent, binaries.get_redis().parent]
        path = os.pathsep.join([*map(str, tools), os.environ["PATH"]])
        self.base = {"PATH": path, "HOME": str(folder), "PYTHONUNBUFFERED": "1"}
        self.base["SLUICE_STATE_DIR"] = STATE  # what the image sets

    def local(self, text: str) -> str:
        replaced = {
            r"postgresql://sluice:\w+@postgres:5432/sluice": self.database.render_as_string(
                hide_password=False
            ),
            r"redis://redis:6379": f"redis://127.0.0.1:{self.redis_port}",
            r"\b0\.0\.0\.0\b": "127.0.0.1",
            r"\b8080\b": str(self.api_port),
            r"\b5555\b": str(self.flower_port),
            STATE: str(self.folder / "state"),
        }
        for pattern, value in replaced.items():
            text = re.sub(pattern, value, text)
        return text

    def environment(self, service: dict[str, Any]) -> dict[str, str]:
        given = {**self.base, **service.get("environment", {})}
        return {name: self.local(str(value)) for name, value in given.items()}

    def command(self, name: str, service: dict[str, Any]) -> list[str]:
        words = shlex.split(service["command"])
        if name == "redis":
            words = [str(binaries.get_redis()), *words[1:]]
            words += ["--port", str(self.redis_port), "--dir", str(self.folder)]
        return words

    def health_check(self, name: str, service: dict[str, Any]) -> list[str]:
        kind, *words = service["healthcheck"]["test"]
        assert kind == "CMD"
        if name == "redis":
            words[1:1] = ["-p", str(self.redis_port)]
        if name == "postgres":
            tool = binaries.get_postgres() / words[0]
            address = ["--host", str(self.database.host), "--port", str(self.database.port)]
            words = [str(tool), *words[1:], *address]
        return [self.local(word) for word in words]

    def run(self, words: list[str], service: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            env=self.environment(service),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @contextmanager
    def running(self, name: str, service: dict[str, Any]) -> Generator[subprocess.Popen[bytes]]:
        """Start it, and see in the end that SIGTERM ends it well."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(name, service),
                env=self.environment(service),
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0, f"{name}:\n{log.read_text()}"
        finally:
            process.kill()
            process.wait()

    def wait_until_healthy(
        self, name: str, service: dict[str, Any], process: subprocess.Popen[bytes] | None
    ) -> None:
        deadline = time.monotonic() + HEALTHY_SECONDS
        while (check := self.run(self.health_check(name, service), service)).returncode != 0:
            log = self.folder / f"{name}.log"
            said = log.read_text() if log.exists() else ""
            assert process is None or process.poll() is None, f"{name} ended:\n{said}"
            assert time.monotonic() < deadline, f"{name}: {check.stderr}\n{said}"
            time.sleep(0.2)


@pytest.fixture
def machine(postgres_server: str, state_dir: Path) -> Generator[Machine]:
    shutil.rmtree(state_dir / "state", ignore_errors=True)
    (state_dir / "state").mkdir()
    with databases.fresh_postgres(postgres_server, "template0") as url:
        yield Machine(state_dir, url)


@pytest.mark.timeout(300)
def test_every_service_runs_as_the_file_says(machine: Machine) -> None:
    found = services()
    machine.wait_until_healthy("postgres", found.pop("postgres"), None)
    redis, migrate = found.pop("redis"), found.pop("migrate")
    with ExitStack() as stack:
        server = stack.enter_context(machine.running("redis", redis))
        machine.wait_until_healthy("redis", redis, server)
        migrated = machine.run(machine.command("migrate", migrate), migrate)
        assert migrated.returncode == 0, migrated.stderr
        started = {
            name: stack.enter_context(machine.running(name, service))
            for name, service in found.items()
        }
        for name, process in started.items():
            machine.wait_until_healthy(name, found[name], process)
