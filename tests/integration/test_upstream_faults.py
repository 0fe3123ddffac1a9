"""The simulator's faults and gates, seen by bare HTTP clients."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.upstream.asking import HELLO, KEY, only_entry, post, read_stream
from tests.upstream.client import Simulator


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


@pytest.fixture
def upstream(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.mark.parametrize(
    ("suffix", "count", "end"),
    [
        ("k0", 0, "ReadError"),
        ("k3", 3, "ReadError"),
        ("c3", 3, "RemoteProtocolError"),
        ("q3", 3, "ReadTimeout"),
        ("midfinish", 6, "eof"),
        ("midfinish2", 2, "eof"),
        ("nodone", 7, "eof"),
        ("err3", 4, "eof"),
        ("j2", 9, "eof"),
        ("b3", 8, "eof"),
        ("split", 8, "eof"),
        ("split-b8", 8, "eof"),
        ("crlf", 8, "eof"),
        ("comment", 8, "eof"),
        ("k5-b3", 5, "ReadError"),
    ],
)
def test_broken_streams(upstream: Simulator, suffix: str, count: int, end: str) -> None:
    events, ended = read_stream(upstream, f"demo-n5-{suffix}")
    assert (len(events), ended) == (count, end)
    entry = only_entry(upstream)
    assert entry["events_written"] == count
    assert entry["completed"] == (count >= 7)
    assert entry["client_gone"] == (suffix == "q3")
    assert entry["done_sent"] == (count >= 8)


@pytest.mark.parametrize(
    ("suffix", "error"),
    [
        ("refuse", httpx.ReadError),
        ("hang", httpx.ReadTimeout),
        ("k0", httpx.ReadError),
        ("c1", httpx.RemoteProtocolError),
        ("q1", httpx.ReadTimeout),
    ],
)
def test_broken_bodies(upstream: Simulator, suffix: str, error: type[Exception]) -> None:
    url = f"{upstream.openai_url}/chat/completions"
    body = {"model": f"demo-{suffix}", "messages": HELLO}
    with pytest.raises(error):
        httpx.post(url, json=body, headers=KEY, timeout=0.5, trust_env=False)
    entry = only_entry(upstream)
    assert not entry["completed"]
    assert entry["client_gone"] == (suffix in {"hang", "q1"})


@pytest.mark.parametrize("stream", [False, True])
def test_wrong_answers(upstream: Simulator, stream: bool) -> None:  # noqa: FBT001
    with pytest.raises(json.JSONDecodeError):
        post(upstream, "demo-badjson", stream=stream).json()
    assert post(upstream, "demo-html", stream=stream).text.startswith("<!DOCTYPE html>")
    assert post(upstream, "demo-empty", stream=stream).content == b""
    whole = post(upstream, "demo-jsonstream", stream=True)
    assert whole.json()["object"] == "chat.completion"
    assert upstream.wait_idle()["total"]["completed"] == 1


def test_usage_can_lie_or_be_missing(upstream: Simulator) -> None:
    assert "usage" not in post(upstream, "demo-nousage").json()
    assert not only_entry(upstream)["usage_sent"]
    huge = post(upstream, "demo-hugeusage").json()["usage"]
    assert huge["total_tokens"] == 2_000_000_000


def test_times_of_an_answer(upstream: Simulator) -> None:
    started = time.monotonic()
    read_stream(upstream, "demo-n5-t100-h100-d20")
    taken = time.monotonic() - started
    assert 0.1 + 0.1 + 7 * 0.02 <= taken < 1
    body = {"model": "demo-h300", "messages": HELLO, "stream": True}
    url = f"{upstream.openai_url}/chat/completions"
    started = time.monotonic()
    with httpx.Client(trust_env=False) as http:
        request = http.build_request("POST", url, json=body, headers=KEY)
        response = http.send(request, stream=True)
        assert time.monotonic() - started < 0.25
        next(response.iter_raw())
        assert time.monotonic() - started >= 0.3
        response.close()


def test_first_requests_fail_then_all_is_well(upstream: Simulator) -> None:
    statuses = [post(upstream, "demo-n2-e503x2").status_code for _ in range(4)]
    assert statuses == [503, 503, 200, 200]


def test_faults_by_control(upstream: Simulator) -> None:
    rule = upstream.fault("e500", "demo-*", times=2, path="/chat/completions")
    statuses = [post(upstream, "demo-chat").status_code for _ in range(3)]
    assert statuses == [500, 500, 200]
    assert upstream.faults()[0] == {**rule, "used": 2, "left": 0}
    upstream.fault("e429-ra1", key="sk-test")
    assert post(upstream, "demo-chat").status_code == 429
    upstream.clear_faults()
    assert post(upstream, "demo-chat").status_code == 200
    with pytest.raises(ValueError, match="nonsense"):
        upstream.fault("nonsense")


@pytest.mark.parametrize(
    ("place", "written"),
    [("head", 0), ("0", 0), ("1", 1), ("finish", 4), ("usage", 5), ("done", 6), ("end", 7)],
)
def test_gates_stop_a_stream_at_an_exact_place(
    upstream: Simulator, place: str, written: int
) -> None:
    with ThreadPoolExecutor() as threads:
        options = {"include_usage": True}
        model = f"demo-n3-gateg.{place}"
        reading = threads.submit(read_stream, upstream, model, stream_options=options)
        assert upstream.gate("g", waiting=1)["waiting"] == 1
        (entry,) = upstream.journal()
        assert entry["events_written"] == written
        assert entry["status"] == (None if place == "head" else 200)
        assert upstream.open_gate("g")["released"] == 1
        events, end = reading.result()
    assert (len(events), end) == (7, "eof")
    assert only_entry(upstream)["completed"]


@pytest.mark.parametrize("place", ["head", "0", "end"])
def test_gates_stop_whole_answers(upstream: Simulator, place: str) -> None:
    with ThreadPoolExecutor() as threads:
        asking = threads.submit(post, upstream, f"demo-gateg.{place}")
        upstream.gate("g", waiting=1)
        upstream.open_gate("g", count=1)
        assert asking.result().status_code == 200
    assert not upstream.gate("g")["open"]
