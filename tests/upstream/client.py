"""Starts the simulator as a child process and talks to it, for everybody's tests."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0


class Simulator:
    """``with Simulator.start(tmp_path) as upstream: ...``; dies with the thread that started it."""

    def __init__(self, process: subprocess.Popen[bytes], ready: dict[str, Any]) -> None:
        self.process = process
        self.host: str = ready["host"]
        self.port: int = ready["port"]
        self.base_url: str = ready["base_url"]
        self.pid: int = ready["pid"]
        self.http = httpx.Client(base_url=self.base_url, timeout=70, trust_env=False)

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        journal_limit: int | None = None,
        journal_bodies: int | None = None,
    ) -> Self:
        ready_file = directory / f"upstream-{time.monotonic_ns()}.json"
        options = {"--journal-limit": journal_limit, "--journal-bodies": journal_bodies}
        command = [sys.executable, "-m", "tests.upstream", "--host", host, "--port", str(port)]
        command += ["--ready-file", str(ready_file), "--parent", str(os.getpid())]
        for name, value in options.items():
            command += [] if value is None else [name, str(value)]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        return cls(process, _wait_ready(process, ready_file))

    @property
    def openai_url(self) -> str:
        return f"{self.base_url}/v1"

    @property
    def anthropic_url(self) -> str:
        """Without ``/v1``, which Anthropic's clients add themselves."""
        return f"{self.base_url}/anthropic"

    @property
    def midjourney_url(self) -> str:
        return f"{self.base_url}/mj"

    def works(self, **wanted: str) -> list[dict[str, Any]]:
        """What was accepted, oldest first; by ``kind``, ``model``, ``key``, ``id``, ``state``."""
        found: list[dict[str, Any]] = self._ask("GET", "/__control/works", params=wanted)
        return found

    def works_summary(self) -> dict[str, Any]:
        """Per kind: ``works``, ``units``, ``submits`` and the number of each of the ``states``."""
        return self._object("GET", "/__control/works/summary")

    def journal(
        self, since: int = 0, limit: int = 20_000, model: str | None = None
    ) -> list[dict[str, Any]]:
        query: dict[str, Any] = {"since": since, "limit": limit}
        if model is not None:
            query["model"] = model
        entries: list[dict[str, Any]] = self._ask("GET", "/__journal", params=query)
        return entries

    def clear_journal(self) -> None:
        self._ask("DELETE", "/__journal")

    def summary(self) -> dict[str, Any]:
        return self._object("GET", "/__journal/summary")

    def wait_idle(self, timeout_seconds: float = 10.0) -> dict[str, Any]:
        """The summary once no request is under way, so that no entry changes any more."""
        deadline = time.monotonic() + timeout_seconds
        while (summary := self.summary())["total"]["in_flight"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"requests still under way: {summary}")
            time.sleep(0.005)
        return summary

    def fault(
        self,
        fault: str,
        model: str = "*",
        *,
        times: int | None = None,
        path: str | None = None,
        key: str | None = None,
    ) -> dict[str, Any]:
        rule = {"fault": fault, "model": model, "times": times, "path": path, "key": key}
        return self._object("POST", "/__control/faults", json=rule)

    def faults(self) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = self._ask("GET", "/__control/faults")
        return rules

    def clear_faults(self) -> None:
        self._ask("DELETE", "/__control/faults")

    def revoke(self, *keys: str) -> None:
        """Exactly these keys get 401 from now on, besides ``bad``."""
        self._ask("POST", "/__control/keys", json={"revoked": keys})

    def gate(
        self, name: str, *, waiting: int = 0, arrived: int = 0, timeout_seconds: float = 10.0
    ) -> dict[str, Any]:
        """The gate's state, after waiting until so many requests stand there."""
        query = {"waiting": waiting, "arrived": arrived, "timeout": timeout_seconds}
        state = self._object("GET", f"/__control/gate/{name}", params=query)
        if not state["satisfied"]:
            raise TimeoutError(f"gate after {timeout_seconds} s: {state}")
        return state

    def open_gate(self, name: str, count: int | None = None) -> dict[str, Any]:
        body = {} if count is None else {"count": count}
        return self._object("POST", f"/__control/gate/{name}/open", json=body)

    def close_gate(self, name: str) -> dict[str, Any]:
        return self._object("POST", "/__control/gate", json={"name": name})

    def reset(self) -> None:
        """As after the start: faults, gates, keys, works, counts, journal; only numbers go on."""
        self._ask("POST", "/__control/reset")

    def freeze(self) -> None:
        """Stop the whole process: connections are accepted by the kernel and never answered."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As a machine fails; a new ``start`` with the same ``port`` brings it back."""
        self.process.kill()
        self.process.wait()
        self.http.close()

    def stop(self) -> int:
        """The exit code; harmless if it is gone already."""
        self.http.close()
        if self.process.poll() is None:
            self.thaw()
            self.process.terminate()
        try:
            return self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _object(self, method: str, path: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        found: dict[str, Any] = self._ask(method, path, **options)
        return found

    def _ask(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401
        response = self.http.request(method, path, **options)
        if response.is_error:
            raise ValueError(f"simulator answered {response.status_code}: {response.text}")
        return response.json()


def _wait_ready(process: subprocess.Popen[bytes], ready_file: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while not ready_file.exists():
        if process.poll() is not None:
            raise RuntimeError(f"the simulator ended with {process.returncode} at its start")
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"the simulator was not ready after {START_SECONDS} s")
        time.sleep(0.01)
    ready: dict[str, Any] = json.loads(ready_file.read_text())
    return ready
