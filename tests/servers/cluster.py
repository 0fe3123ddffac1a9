"""A PostgreSQL cluster in a temporary folder, fast because it may forget everything."""

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2

from gateway.supervisor.child import die_with_parent
from tests.servers.binaries import get_postgres

START_SECONDS = 30
ENOUGH_BYTES = 4 * 1024**3
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "400",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
}


class Cluster:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-postgres-", dir=_fast_folder()))
        self._user = _unprivileged_user()
        self._binaries = self._reachable(get_postgres())
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        port = _free_port()
        data = self.folder / "data"
        if self._user:
            shutil.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        flags = ["-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(
            [*self._as_user(), str(self._binaries / "initdb"), *flags, "--no-sync"],
            check=True,
            capture_output=True,
            cwd=self.folder,
        )
        settings = {**SETTINGS, "port": str(port), "unix_socket_directories": str(self.folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [*self._as_user(), str(self._binaries / "postgres"), "-D", str(data), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                die_with_parent(*command), stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self._wait_until_it_answers(self._process)

    def discard(self) -> None:
        """Stop at once and delete everything."""
        if self._process is not None:
            # SIGINT is PostgreSQL's fast shutdown: clients are thrown out.
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _as_user(self) -> list[str]:
        """PostgreSQL refuses to run as root; changing the user resets the death signal."""
        if self._user is None:
            return []
        ids = [f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups"]
        return ["setpriv", *ids, "--pdeathsig=INT", "--"]

    def _reachable(self, binaries: Path) -> Path:
        """A copy of the installation if root's own folders hide it from the other user."""
        probe = [*self._as_user(), "test", "-x", str(binaries / "postgres")]
        if subprocess.run(probe, check=False).returncode == 0:
            return binaries
        self.folder.chmod(0o755)
        package, libraries = binaries.parents[1], binaries.parents[1].with_suffix(".libs")
        for source in (binaries.parent, libraries):
            copy = self.folder / source.relative_to(package.parent)
            if source.exists():
                shutil.copytree(source, copy, symlinks=True)
        return self.folder / binaries.relative_to(package.parent)

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                psycopg2.connect(self.url).close()
            except psycopg2.OperationalError:
                time.sleep(0.02)
            else:
                return
        message = f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}"
        raise RuntimeError(message)


def _fast_folder() -> Path | None:
    """Memory, where there is enough: a database of its own per test costs 0.02 s, not 0.2."""
    memory = Path("/dev/shm")  # noqa: S108  # a fresh private folder is made in it
    if memory.is_dir() and shutil.disk_usage(memory).free > ENOUGH_BYTES:
        return memory
    return None


def _unprivileged_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    message = f"{getpass.getuser()} cannot run PostgreSQL and there is no other user"
    raise RuntimeError(message)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
