"""Keeps one PostgreSQL for a test run: it lives while a test process is connected to it.

The tests of one run are spread over several processes. The first that needs PostgreSQL
starts this program; each holds a connection to its socket, which the kernel closes however
the process ends; with the last one gone the cluster is thrown away.
"""

import fcntl
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.cluster import Cluster

# Between two tests that need it there may be a moment without any connection.
LINGER_SECONDS = 1.0
START_SECONDS = 60


@contextmanager
def kept_cluster(shared: Path) -> Generator[str]:
    """The URL of the run's cluster, which stays up while the block runs."""
    with _locked(shared / "postgres.lock"):
        connection, url = _connect(shared) or _start_keeper(shared)
    with connection:
        yield url


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _connect(shared: Path) -> tuple[socket.socket, str] | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(shared / "keeper.sock"))
        # A keeper that was about to leave accepts nobody any more and sends nothing.
        if url := connection.recv(4096).decode():
            return connection, url
    except OSError:
        pass
    connection.close()
    return None


def _start_keeper(shared: Path) -> tuple[socket.socket, str]:
    with (shared / "keeper.log").open("ab") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.keeper", str(shared)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and keeper.poll() is None:
        if connected := _connect(shared):
            # It outlives us when others use it, so nobody here waits for it.
            keeper.returncode = 0
            return connected
        time.sleep(0.02)
    message = f"PostgreSQL for the tests did not start:\n{(shared / 'keeper.log').read_text()}"
    raise RuntimeError(message)


def main() -> None:
    shared = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    cluster = Cluster()
    try:
        cluster.start()
        _serve(shared / "keeper.sock", cluster.url)
    finally:
        cluster.discard()


def _serve(path: Path, url: str) -> None:
    """Tell everybody who connects the URL; return when the last one has left."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        users: list[socket.socket] = []
        while True:
            patience = None if users else LINGER_SECONDS
            ready, _, _ = select.select([listener, *users], [], [], patience)
            if not ready:
                path.unlink(missing_ok=True)
                return
            if listener in ready:
                user, _ = listener.accept()
                user.sendall(url.encode())
                users.append(user)
            # They never send anything: readable means closed.
            users = [user for user in users if user not in ready]


if __name__ == "__main__":
    main()
