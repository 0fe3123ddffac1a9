"""Other gateways, bare: installed outside the repository, started in front of the same upstream."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.load import Target
from tests.bench.machine import Cpus
from tests.bench.processes import Program, free_port, is_listening
from tests.bench.scenarios import MODELS

ROOT = Path(__file__).parents[2]
START_SECONDS = 120
KEY = "sk-bench"


class MissingPeerError(Exception):
    """It is not here and cannot be installed; the message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    install: Callable[[Path], None]
    command: Callable[[Path, int, str], list[str]]
    environment: dict[str, str]
    key: str | None = None
    headers: Callable[[str], tuple[str, ...]] = lambda _: ()


def peers_dir() -> Path:
    return Path(os.environ.get("PEERS_DIR", Path(tempfile.gettempdir()) / "sluice-bench-peers"))


@contextmanager
def started(names: list[str], upstream_url: str, logs: Path, cpus: Cpus) -> Generator[list[Target]]:
    """Those that could be installed; every other one is named on stderr."""
    with ExitStack() as running:
        targets = []
        for name in names:
            try:
                folder = peers_dir() / name
                folder.mkdir(parents=True, exist_ok=True)
                PEERS[name].install(folder)
                targets.append(_start(name, folder, upstream_url, (logs, cpus), running))
            except (MissingPeerError, RuntimeError) as error:
                sys.stderr.write(f"bench: SKIPPED {name}: {error}\n")
        yield targets


def _start(
    name: str, folder: Path, upstream_url: str, where: tuple[Path, Cpus], running: ExitStack
) -> Target:
    peer, port, (logs, cpus) = PEERS[name], free_port(), where
    command = peer.command(folder, port, upstream_url)
    program = Program(command, cpus, logs / f"{name}.log", peer.environment, folder)
    running.callback(program.stop)
    program.wait_until(lambda: is_listening(port), START_SECONDS)
    url = f"http://127.0.0.1:{port}"
    return Target(name, url, peer.key, peer.headers(upstream_url), {name: [program.pid]})


def _run(*command: str, folder: Path) -> None:
    sys.stderr.write(f"bench: installing: {' '.join(command)}\n")
    try:
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        message = f"{command[0]} failed: {error}"
        raise MissingPeerError(message) from error


def _install_litellm(folder: Path) -> None:
    if not (folder / "bin" / "litellm").exists():
        _run(sys.executable, "-m", "venv", str(folder), folder=folder)
        _run(str(folder / "bin" / "pip"), "install", "-q", "litellm[proxy]", folder=folder)


def _litellm(folder: Path, port: int, upstream_url: str) -> list[str]:
    """Its documented production settings, no database, exact model names: its fastest routing."""
    models = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}",
                "api_base": f"{upstream_url}/v1",
                "api_key": "sk-upstream",
            },
        }
        for name in MODELS
    ]
    settings = {
        "model_list": models,
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"request_timeout": 600, "set_verbose": False, "json_logs": True},
    }
    config = folder / f"config-{port}.yaml"
    config.write_text(json.dumps(settings))  # JSON is YAML
    program = str(folder / "bin" / "litellm")
    where = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    return [program, "--config", str(config), *where]


PORTKEY_START = "node_modules/@portkey-ai/gateway/build/start-server.js"


def _install_portkey(folder: Path) -> None:
    if (folder / PORTKEY_START).exists():
        return
    if shutil.which("npm") is None:
        message = "it needs node and npm"
        raise MissingPeerError(message)
    # With a newer adapter 1.15.2 answers every stream with 500 ("TypeError: immutable").
    package = {
        "private": True,
        "dependencies": {"@portkey-ai/gateway": "^1.15.2"},
        "overrides": {"@hono/node-server": "1.14.1"},
    }
    (folder / "package.json").write_text(json.dumps(package))
    _run("npm", "install", "--silent", folder=folder)


def _portkey(folder: Path, port: int, _: str) -> list[str]:
    return ["node", str(folder / PORTKEY_START), f"--port={port}", "--headless"]


def _portkey_headers(upstream_url: str) -> tuple[str, ...]:
    return ("x-portkey-provider: openai", f"x-portkey-custom-host: {upstream_url}/v1")


def _nginx_program(folder: Path) -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path=folder / "usr" / "sbin")


def _install_nginx(folder: Path) -> None:
    """The package's program alone, unpacked: nothing is installed or started on the machine."""
    if _nginx_program(folder):
        return
    if shutil.which("apt-get") is None:
        message = "there is no nginx on PATH"
        raise MissingPeerError(message)
    _run("apt-get", "-qq", "download", "nginx", folder=folder)
    for package in folder.glob("nginx_*.deb"):
        _run("dpkg", "-x", str(package), str(folder), folder=folder)
    if not _nginx_program(folder):
        message = "the package holds no program"
        raise MissingPeerError(message)


def _nginx(folder: Path, port: int, upstream_url: str) -> list[str]:
    """A relay of bytes that checks nothing: the physical limit."""
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / f"{port}.conf"
    config.write_text(
        f"""daemon off; worker_processes 1; error_log {folder}/error.log; pid {folder}/{port}.pid;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; tcp_nodelay on; {temporary}
  upstream up {{
    server {upstream_url.removeprefix("http://")};
    keepalive 2048; keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 600s;
    }}
  }}
}}
"""
    )
    return [_nginx_program(folder) or "nginx", "-e", f"{folder}/error.log", "-c", str(config)]


def _bare(_: Path, port: int, upstream_url: str) -> list[str]:
    return [sys.executable, "-m", "tests.bench.bare", str(port), upstream_url]


PEERS = {
    "bare": Peer(lambda _: None, _bare, {"PYTHONPATH": str(ROOT)}),
    "litellm": Peer(
        _install_litellm,
        _litellm,
        {
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
        key=KEY,
    ),
    "portkey": Peer(
        _install_portkey,
        _portkey,
        {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1", "NODE_ENV": "production"},
        key=KEY,
        headers=_portkey_headers,
    ),
    "nginx": Peer(_install_nginx, _nginx, {}),
}
