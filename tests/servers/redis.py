"""A private Redis of one test: it can be frozen, killed, emptied and brought back."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from gateway.supervisor.child import die_with_parent
from tests.servers.binaries import get_redis

START_SECONDS = 10


class RedisServer:
    """Listens on a unix socket; keeps its data over a restart, as the product's own does.

    Start it in the main thread: the server ends with the thread that started it.
    """

    def __init__(self) -> None:
        # Paths of sockets are short, pytest's folders are not.
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-redis-"))
        self.socket = self.folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process_or_raise().pid

    def start(self, *, empty: bool = False) -> None:
        """Start it, with the data it had unless told to lose them."""
        if empty:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
        (self.folder / "data").mkdir(exist_ok=True)
        options = ["--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        options += ["--dir", str(self.folder / "data"), "--save", "", "--appendonly", "yes"]
        options += ["--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                die_with_parent(str(get_redis()), *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """End it politely."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing is answered."""
        self._process_or_raise().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process_or_raise().send_signal(signal.SIGCONT)

    def flushall(self) -> None:
        with self.client() as client:
            client.flushall()

    def client(self) -> Redis:
        return Redis.from_url(self.url, socket_timeout=5)

    def discard(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _process_or_raise(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            message = "this Redis is not running"
            raise RuntimeError(message)
        return self._process

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process_or_raise(), None
        process.send_signal(number)
        process.wait()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with self.client() as client, contextlib.suppress(RedisError):
                if client.ping():
                    return
            if self._process_or_raise().poll() is not None:
                break
            time.sleep(0.005)
        message = f"Redis did not start:\n{(self.folder / 'log').read_text()}"
        raise RuntimeError(message)
