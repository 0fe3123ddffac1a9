"""When the supervisor refuses to start, and what it remembers from start to start."""

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway import supervisor
from gateway.settings import ApiSettings, Settings
from gateway.supervisor import memory, ports, roster
from gateway.supervisor.stack import Stack


def refusal(settings: Settings) -> str:
    """The one line that a refused start announces."""
    said: list[str] = []
    assert supervisor.up(settings, announce=said.append) == 1
    (line,) = said
    assert "\n" not in line
    return line


def test_a_second_start_on_the_same_state_is_refused(state_dir: Path) -> None:
    with roster.claim(state_dir):
        line = refusal(Settings(state_dir=state_dir, port=ports.choose()))
    assert f"already runs on the state directory {state_dir} (process {os.getpid()})" in line


def test_a_taken_port_is_refused_even_if_it_could_be_shared(state_dir: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refusal(Settings(state_dir=state_dir, port=port))
    assert f"port {port} on 127.0.0.1 is taken" in line
    assert "PORT=" in line


def test_a_port_that_does_not_exist_is_refused(state_dir: Path) -> None:
    assert "port 70000 does not exist" in refusal(Settings(state_dir=state_dir, port=70000))


def test_a_state_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = refusal(Settings(state_dir=tmp_path / "file" / "state"))
    assert "cannot be written: not a directory (SLUICE_STATE_DIR)" in line


def test_a_state_directory_of_somebody_else_is_refused(state_dir: Path) -> None:
    (state_dir / "log").mkdir()
    for folder in (state_dir, state_dir / "log"):
        folder.chmod(0o555)
    program = (
        "import sys; from pathlib import Path; from gateway.supervisor import roster, problems\n"
        "try: roster.claim(Path(sys.argv[1]))\n"
        "except problems.StartError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program, str(state_dir)]
    if os.geteuid() == 0:  # for whom permissions do not count
        command = [*drop_capabilities(), *command]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "cannot be written: permission denied" in answer.stdout, answer.stderr


def drop_capabilities() -> list[str]:
    setpriv = shutil.which("setpriv")
    assert setpriv, "util-linux brings setpriv"
    return [setpriv, "--bounding-set=-all", "--inh-caps=-all", "--"]


def test_a_path_too_long_for_the_socket_of_redis_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 25)
    line = refusal(Settings(state_dir=deep, port=ports.choose()))
    assert "too long a path" in line


def test_invalid_settings_are_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "eighty")
    monkeypatch.setenv("SLUICE_API__WORKERS", "many")
    with pytest.raises(ValidationError) as caught:
        Settings()
    lines = supervisor.describe(caught.value)
    assert [line.partition(":")[0] for line in lines] == [
        "PORT or SLUICE_PORT",
        "SLUICE_API__WORKERS",
    ]
    assert all("\n" not in line for line in lines)


def test_ports_and_flower_credentials_are_remembered(state_dir: Path) -> None:
    first = memory.recall(state_dir)
    assert memory.recall(state_dir) == first
    assert stat.S_IMODE((state_dir / "supervisor.json").stat().st_mode) == 0o600


def test_a_remembered_port_that_is_taken_is_replaced(state_dir: Path) -> None:
    first = memory.recall(state_dir)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first.simulator_port))
        taken.listen()
        second = memory.recall(state_dir)
    assert second.simulator_port != first.simulator_port
    assert second.flower_password == first.flower_password


def test_no_secret_is_on_a_command_line(state_dir: Path) -> None:
    settings = Settings(state_dir=state_dir, api=ApiSettings(workers=2))
    remembered = memory.recall(state_dir)
    stack = Stack(settings, {"OPENAI_API_KEY": "sk-secret"}, remembered)
    specs = (*stack.gateway(), stack.simulator(), stack.redis(Path("redis-server")))
    assert [spec.name for spec in specs][:2] == ["api-1", "api-2"]
    words = " ".join(word for spec in specs for word in spec.command)
    assert remembered.flower_password not in words
    assert not re.search(r"sk-secret|postgres", words)
    assert remembered.flower_password not in repr(specs)
