"""The table of faults means the same for Anthropic, seen by bare HTTP clients."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.upstream.asking import only_entry, post_message, read_message_stream
from tests.upstream.client import Simulator

# message_start, ping, content_block_start, five deltas, content_block_stop, and two more.
ALL = 11


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


@pytest.fixture
def upstream(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.mark.parametrize(
    ("suffix", "count", "last", "end"),
    [
        ("k0", 0, "", "ReadError"),
        ("k4", 4, "content_block_delta", "ReadError"),
        ("c4", 4, "content_block_delta", "RemoteProtocolError"),
        ("q4", 4, "content_block_delta", "ReadTimeout"),
        ("midfinish", 9, "content_block_stop", "eof"),
        ("midfinish2", 2, "ping", "eof"),
        ("nodone", 10, "message_delta", "eof"),
        ("err3", 4, "error", "eof"),
        ("j2", 12, "message_stop", "eof"),
        ("b3", 11, "message_stop", "eof"),
        ("split", 11, "message_stop", "eof"),
        ("crlf", 11, "message_stop", "eof"),
        ("nousage", 11, "message_stop", "eof"),
    ],
)
def test_broken_streams(upstream: Simulator, suffix: str, count: int, last: str, end: str) -> None:
    events, ended = read_message_stream(upstream, f"demo-n5-{suffix}")
    assert (len(events), ended) == (count, end)
    assert [name for name, _ in events[-1:]] == ([last] if last else [])
    entry = only_entry(upstream)
    assert entry["events_written"] == count
    assert entry["completed"] == (count >= 10)
    assert entry["done_sent"] == (count >= 11)
    assert entry["usage_sent"] == (count >= 10 and suffix != "nousage")
    assert entry["client_gone"] == (suffix == "q4")


def test_healed_after_the_first_requests(upstream: Simulator) -> None:
    statuses = [post_message(upstream, "demo-n2-e529x2").status_code for _ in range(3)]
    assert statuses == [529, 529, 200]
    assert post_message(upstream, "demo-e429-ra3").headers["retry-after"] == "3"


@pytest.mark.parametrize("stream", [False, True])
def test_wrong_answers(upstream: Simulator, stream: bool) -> None:  # noqa: FBT001
    with pytest.raises(json.JSONDecodeError):
        post_message(upstream, "demo-badjson", stream=stream).json()
    page = post_message(upstream, "demo-html", stream=stream)
    assert page.text.startswith("<!DOCTYPE html>")
    assert post_message(upstream, "demo-empty", stream=stream).content == b""
    whole = post_message(upstream, "demo-jsonstream", stream=True)
    assert whole.json()["type"] == "message"


@pytest.mark.parametrize("suffix", ["k0", "c1", "refuse"])
def test_broken_bodies(upstream: Simulator, suffix: str) -> None:
    with pytest.raises(httpx.TransportError):
        post_message(upstream, f"demo-{suffix}")
    assert not only_entry(upstream)["completed"]


@pytest.mark.parametrize(
    ("place", "written"),
    [("head", 0), ("0", 0), ("1", 1), ("finish", 9), ("usage", 9), ("done", 10), ("end", 11)],
)
def test_gates_stop_a_stream_at_an_exact_place(
    upstream: Simulator, place: str, written: int
) -> None:
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(read_message_stream, upstream, f"demo-n5-gateg.{place}")
        upstream.gate("g", waiting=1)
        (entry,) = upstream.journal()
        assert entry["events_written"] == written
        upstream.open_gate("g")
        events, end = reading.result()
    assert (len(events), end) == (ALL, "eof")
    assert only_entry(upstream)["completed"]


def test_counting_fails_as_told(upstream: Simulator) -> None:
    upstream.fault("e503", path="/count_tokens")
    url = f"{upstream.anthropic_url}/v1/messages/count_tokens"
    headers = {"x-api-key": "sk-test", "anthropic-version": "2023-06-01"}
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    assert httpx.post(url, json=body, headers=headers, trust_env=False).status_code == 503
    assert post_message(upstream, "m").status_code == 200
