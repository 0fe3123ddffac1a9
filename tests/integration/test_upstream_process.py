"""The simulator as a process: its journal, clients who leave, its end."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.upstream.asking import HELLO, KEY, only_entry, post
from tests.upstream.client import ROOT, Simulator


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


@pytest.fixture
def upstream(running: Simulator) -> Simulator:
    running.reset()
    return running


def test_a_client_who_leaves_is_noticed(upstream: Simulator) -> None:
    body = json.dumps({"model": "demo-n3-gateg.2", "messages": HELLO, "stream": True})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((upstream.host, upstream.port)) as raw:
        raw.sendall(f"{head}Authorization: Bearer k\r\n\r\n{body}".encode())
        upstream.gate("g", waiting=1)
    upstream.wait_idle()
    entry = only_entry(upstream)
    assert entry["client_gone"]
    assert (entry["events_written"], entry["content_pieces_written"]) == (2, 1)
    assert entry["usage"]["completion_tokens"] == 3
    assert upstream.gate("g")["waiting"] == 0
    assert upstream.summary()["models"]["demo-n3-gateg.2"]["client_gone"] == 1


def test_a_client_who_leaves_a_fast_stream_is_noticed(upstream: Simulator) -> None:
    body = {"model": "demo-n100000", "messages": HELLO, "stream": True}
    url = f"{upstream.openai_url}/chat/completions"
    with (
        httpx.Client(trust_env=False) as http,
        http.stream("POST", url, json=body, headers=KEY) as response,
    ):
        next(response.iter_raw())
    entry = only_entry(upstream)
    assert entry["client_gone"]
    assert 0 < entry["events_written"] < 100_000


def test_journal_pages_and_clears(upstream: Simulator) -> None:
    for model in ("demo-a", "demo-b", "demo-a"):
        post(upstream, model)
    first, second, third = upstream.journal()
    assert [entry["seq"] for entry in upstream.journal(since=first["seq"], limit=1)] == [
        second["seq"]
    ]
    assert [entry["seq"] for entry in upstream.journal(model="demo-a")] == [
        first["seq"],
        third["seq"],
    ]
    assert upstream.summary()["models"]["demo-a"]["requests"] == 2
    upstream.clear_journal()
    assert upstream.journal() == []


def test_a_key_in_every_header_is_recorded_lower_cased(upstream: Simulator) -> None:
    post(upstream, "demo-chat")
    assert only_entry(upstream)["headers"]["authorization"] == "Bearer sk-test"


def test_process_ends_cleanly_although_a_request_hangs(tmp_path: Path) -> None:
    simulator = Simulator.start(tmp_path)
    body = json.dumps({"model": "demo-hang", "messages": HELLO})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((simulator.host, simulator.port)) as raw:
        raw.sendall(f"{head}Authorization: Bearer k\r\n\r\n{body}".encode())
        assert simulator.summary() is not None
        simulator.process.send_signal(signal.SIGINT)
        assert simulator.process.wait(timeout=5) == 0
    assert simulator.stop() == 0


def test_the_port_can_be_chosen_again_after_a_kill(tmp_path: Path) -> None:
    first = Simulator.start(tmp_path)
    first.kill()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first.base_url}/health", trust_env=False)
    with Simulator.start(tmp_path, port=first.port, journal_limit=1, journal_bodies=0) as second:
        post(second, "demo-a")
        post(second, "demo-b")
        (entry,) = second.journal()
        assert (entry["model"], entry["body"]) == ("demo-b", None)


def test_the_simulator_dies_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from tests.upstream.client import Simulator\n"
        "print(Simulator.start(pathlib.Path(sys.argv[1])).port, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    port = int(run.stdout)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.01)
    pytest.fail("the simulator outlived its parent")
