"""What a newcomer does: ``make run`` in a fresh copy, the printed curl line, Ctrl-C."""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.supervisor import ports

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 300
SECOND_START_SECONDS = 10
NANOS = 1_000_000_000
# What a newcomer's shell has; the rest is where packages come from on this machine.
KEPT = re.compile(r"PATH|TERM|LANG|TZ|(PIP|SSL|HTTPS?|NO)_\w+|https?_proxy|no_proxy")


class MakeRun:
    """``make run`` in a terminal of its own; Ctrl-C reaches the whole process group."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.output = folder.parent / "output"
        self.folder = folder
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                ["make", "run"],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_it_runs(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while "Ctrl-C stops everything" not in self.output.read_text():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        logs = sorted((self.folder / "var" / "log").glob("*.log"))
        tails = [f"--- {log.name}\n{log.read_text()[-2000:]}" for log in logs]
        return "\n".join([self.output.read_text(), *tails])

    def press_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=30)


@pytest.fixture
def copy() -> Generator[Path]:
    """The files of the repository and nothing that was made from them."""
    with tempfile.TemporaryDirectory(prefix="sluice-copy-", ignore_cleanup_errors=True) as parent:
        folder = Path(parent) / "sluice"
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listing.stdout.decode().split("\0")):
            source, target = ROOT / name, folder / name
            if source.is_file():  # the index may still name what was removed
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        try:
            yield folder
        finally:
            for process in running_in(folder):
                process.kill()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
    cache = subprocess.run(
        [sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=False
    )
    if cache.returncode == 0:
        kept["PIP_CACHE_DIR"] = cache.stdout.strip()
    home = tmp_path / "home"
    home.mkdir()
    return {**kept, "HOME": str(home), "PORT": str(ports.choose())}


def running_in(folder: Path) -> list[psutil.Process]:
    """Every process that works in the copy or was started from it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = [process.cwd(), *process.cmdline()]
            if any(str(folder) in word for word in words):
                found.append(process)
    return found


def facts(copy: Path) -> dict[str, Any]:
    path = copy / "var" / "quickstart.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def eventually(run: MakeRun, condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, run.said()
        time.sleep(0.1)


def ask(copy: Path, question: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(copy / "var" / "sluice.db")) as connection:
        return connection.execute(question).fetchall()


def answer_of_the_printed_line(run: MakeRun, environment: dict[str, str]) -> dict[str, Any]:
    (line,) = re.findall(r"^curl .*$", run.output.read_text(), re.MULTILINE)
    said = subprocess.run(
        ["sh", "-c", line], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    answer: dict[str, Any] = json.loads(said.stdout)
    return answer


@pytest.mark.timeout(INSTALL_SECONDS + 120)
def test_a_newcomer_gets_an_answer_that_is_billed(copy: Path, environment: dict[str, str]) -> None:
    run = MakeRun(copy, environment)
    run.wait_until_it_runs(INSTALL_SECONDS)
    first = facts(copy)
    assert first["base_url"] == f"http://127.0.0.1:{environment['PORT']}"

    answer = answer_of_the_printed_line(run, environment)
    assert answer["choices"][0]["message"]["content"]

    eventually(run, lambda: bool(ask(copy, "SELECT 1 FROM requests")))
    ((status, charge),) = ask(copy, "SELECT status, charge_nanos FROM requests")
    ((kind, amount),) = ask(
        copy, "SELECT kind, amount_nanos FROM ledger_entries WHERE slot = 'final'"
    )
    assert (status, kind) == ("succeeded", "charge")
    assert charge == amount > 0
    used = "SELECT used_nanos, limit_nanos FROM users WHERE used_nanos > 0"
    ((used_nanos, limit_nanos),) = ask(copy, used)
    assert used_nanos == amount
    assert limit_nanos >= NANOS

    run.press_ctrl_c()
    eventually(run, lambda: not running_in(copy))

    started = time.monotonic()
    again = MakeRun(copy, environment)
    again.wait_until_it_runs(SECOND_START_SECONDS)
    assert time.monotonic() - started < SECOND_START_SECONDS
    assert facts(copy) == first
    assert answer_of_the_printed_line(again, environment)["choices"]
    again.press_ctrl_c()
    eventually(again, lambda: not running_in(copy))


def test_a_python_that_is_too_old_is_one_clear_line(copy: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "make", "dirname", "cat", "cksum"):
        (tools / name).symlink_to(shutil.which(name) or name)
    old = tools / "python3"
    # Says no to every question about its version, as 3.9 would.
    old.write_text('#!/bin/sh\ncase "$2" in *platform*) echo 3.9.2 ;; *) exit 1 ;; esac\n')
    old.chmod(0o755)
    refused = subprocess.run(
        ["bin/bootstrap", "runtime"],
        cwd=copy,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr == "sluice: Python 3.11 or newer is needed; python3 here is 3.9.2\n"
    assert not (copy / ".venv").exists()
