"""What the next start must find unchanged: ports that others stored, generated passwords."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.supervisor import ports


@dataclass(frozen=True, slots=True)
class Memory:
    simulator_port: int
    flower_port: int
    flower_user: str
    flower_password: str
    # The first administrator's; whether it still is right, only the database knows.
    admin_password: str


def recall(state_dir: Path) -> Memory:
    """Last time's values; a port that somebody else took since is replaced."""
    path = state_dir / "supervisor.json"
    old = _read(path)
    memory = Memory(
        simulator_port=_port(old.get("simulator_port")),
        flower_port=_port(old.get("flower_port")),
        flower_user=str(old.get("flower_user") or "flower"),
        flower_password=str(old.get("flower_password") or secrets.token_urlsafe(18)),
        admin_password=str(old.get("admin_password") or secrets.token_urlsafe(18)),
    )
    write_private(path, asdict(memory))
    return memory


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that only we may read; a reader never sees half a file."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    fresh.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _port(remembered: object) -> int:
    if isinstance(remembered, int) and ports.is_free(remembered):
        return remembered
    return ports.choose()
