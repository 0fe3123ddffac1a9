"""The supervisor: what it restarts, how it stops, what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from gateway.supervisor import roster
from gateway.supervisor.child import ChildSpec
from gateway.supervisor.crew import Crew, StoppedError
from gateway.supervisor.problems import StartError
from gateway.supervisor.signals import Signals

SLEEP = "import time; time.sleep(600)"
# Says its name in the file when it is asked to end.
POLITE = """
import signal, sys, time
def end(*_):
    open(sys.argv[2], "a").write(sys.argv[1] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(sys.argv[2] + "." + sys.argv[1], "w").close()
time.sleep(600)
"""
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").close()
time.sleep(600)
"""
# A supervisor in a process of its own, so that it can be killed.
SUPERVISOR = """
import os, sys
from pathlib import Path
from gateway.supervisor import roster
from gateway.supervisor.child import ChildSpec
from gateway.supervisor.crew import Crew
from gateway.supervisor.signals import Signals
state, marker, code = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
spec = ChildSpec("child", (sys.executable, "-c", code, marker), dict(os.environ), 0)
with roster.claim(state), Signals() as signals:
    crew = Crew(state, signals, print)
    crew.start(spec)
    crew.run()
    crew.stop()
"""


def spec(name: str, code: str, *arguments: str, rank: int = 0, grace: float = 5) -> ChildSpec:
    command = (sys.executable, "-c", code, *arguments)
    return ChildSpec(name, command, dict(os.environ), stop_rank=rank, grace_seconds=grace)


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Team:
    """A crew with its signals, and what it announced."""

    def __init__(self, state_dir: Path, signals: Signals) -> None:
        self.said: list[str] = []
        self.signals = signals
        self.crew = Crew(state_dir, signals, self.said.append)

    def wait_until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        self.crew.wait_until(condition, "the test", seconds)


@pytest.fixture
def team(state_dir: Path) -> Generator[Team]:
    with roster.claim(state_dir), Signals() as signals:
        team = Team(state_dir, signals)
        yield team
        signals.stop_requests = 2
        team.crew.stop()


def test_a_killed_child_is_back_within_a_second(team: Team) -> None:
    team.crew.start(spec("first", SLEEP), spec("second", SLEEP))
    killed, spared = team.crew.children
    old, other = killed.pid, spared.pid
    os.kill(old, signal.SIGKILL)
    started = time.monotonic()
    team.wait_until(lambda: killed.is_running and killed.pid != old)
    assert time.monotonic() - started < 1
    assert spared.pid == other
    assert team.said == ["first was killed by SIGKILL; starting it again"]


def test_a_child_that_keeps_dying_is_started_more_and_more_slowly(team: Team) -> None:
    team.crew.start(spec("dying", "import sys; print('what is wrong'); sys.exit(3)"))
    (child,) = team.crew.children
    pauses = []
    for deaths in (1, 2, 3, 4):
        while child.deaths < deaths:
            team.signals.wait(0.01)
            team.crew.tend()
        pauses.append(round(child.due_at - time.monotonic(), 1))
    assert pauses == [0.1, 0.2, 0.4, 0.8]
    assert "dying ended with code 3" in team.said[0]
    assert team.said[0].endswith("what is wrong")


def test_a_start_gives_up_when_a_child_keeps_dying(team: Team) -> None:
    team.crew.start(spec("dying", "raise SystemExit(3)"))
    with pytest.raises(StartError, match=r"dying keeps dying; its log is .*dying\.log"):
        team.wait_until(lambda: False)


def test_a_start_says_what_was_not_ready_in_time(team: Team) -> None:
    with pytest.raises(StartError, match="the test was not ready after 0 s"):
        team.wait_until(lambda: False, seconds=0.1)


def test_a_request_to_stop_ends_a_start(team: Team) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(StoppedError):
        team.wait_until(lambda: False)


def test_children_stop_in_the_order_of_their_ranks(team: Team, tmp_path: Path) -> None:
    said = tmp_path / "said"
    names = ["redis", "beat", "api"]
    specs = [spec(n, POLITE, n, str(said), rank=2 - i) for i, n in enumerate(names)]
    team.crew.start(*specs)
    team.wait_until(lambda: all((tmp_path / f"said.{name}").exists() for name in names))
    team.crew.stop()
    assert said.read_text().split() == ["api", "beat", "redis"]
    assert not any(child.is_running for child in team.crew.children)


def test_who_does_not_stop_in_time_is_killed(team: Team, tmp_path: Path) -> None:
    team.crew.start(spec("stubborn", STUBBORN, str(tmp_path / "up"), grace=0.2))
    pid = team.crew.children[0].pid
    team.wait_until((tmp_path / "up").exists)
    team.crew.stop()
    assert not is_alive(pid)


def test_a_second_request_to_stop_kills_at_once(team: Team, tmp_path: Path) -> None:
    team.crew.start(spec("stubborn", STUBBORN, str(tmp_path / "up"), grace=60))
    team.wait_until((tmp_path / "up").exists)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    started = time.monotonic()
    team.crew.stop()
    assert time.monotonic() - started < 2


def start_supervisor(state_dir: Path, marker: Path, code: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SUPERVISOR, str(state_dir), str(marker), code]
    process = subprocess.Popen(command)
    eventually(marker.exists)
    return process


def recorded_pid(state_dir: Path) -> int:
    pid: int = json.loads((state_dir / "processes.json").read_text())[0]["pid"]
    return pid


MARKED_SLEEP = "import sys; open(sys.argv[1], 'w').close(); " + SLEEP


def test_children_end_with_a_killed_supervisor(state_dir: Path, tmp_path: Path) -> None:
    process = start_supervisor(state_dir, tmp_path / "up", MARKED_SLEEP)
    pid = recorded_pid(state_dir)
    process.kill()
    process.wait()
    eventually(lambda: not is_alive(pid))


def test_leftovers_of_a_killed_supervisor_are_ended_at_the_next_start(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start_supervisor(state_dir, tmp_path / "up", STUBBORN)
    pid = recorded_pid(state_dir)
    process.kill()
    process.wait()
    assert is_alive(pid)
    monkeypatch.setattr(roster, "LEFTOVER_GRACE_SECONDS", 0.2)
    assert roster.Roster(state_dir).end_leftovers() == ["child"]
    eventually(lambda: not is_alive(pid))


def test_a_process_that_got_the_id_of_a_dead_child_is_left_alone(state_dir: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP], process_group=0)
    try:
        entry = {"name": "api-1", "pid": stranger.pid, "identity": "another-boot:1"}
        (state_dir / "processes.json").write_text(json.dumps([entry]))
        assert roster.Roster(state_dir).end_leftovers() == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
