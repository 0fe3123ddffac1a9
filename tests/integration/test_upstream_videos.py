"""The simulator's videos, asked by OpenAI's own client, and the faults of accepted works."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.upstream.asking import KEY
from tests.upstream.client import Simulator

# OpenAI's package calls its video methods deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


@pytest.fixture
def upstream(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture
def client(upstream: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.openai_url, api_key="sk-test", max_retries=0) as client:
        yield client


def order_video(upstream: Simulator, model: str, **headers: str) -> httpx.Response:
    url = f"{upstream.openai_url}/videos"
    body = {"model": model, "prompt": "a cat"}
    return httpx.post(url, json=body, headers={**KEY, **headers}, timeout=5, trust_env=False)


def order_image(upstream: Simulator, model: str, **options: Any) -> httpx.Response:  # noqa: ANN401
    url = f"{upstream.openai_url}/images/generations"
    given: dict[str, Any] = {"headers": KEY, "timeout": 5, **options}
    body = {"model": model, "prompt": "a cat", "size": "64x64"}
    return httpx.post(url, json=body, trust_env=False, **given)


def show_video(upstream: Simulator, wanted: str, path: str = "") -> httpx.Response:
    url = f"{upstream.openai_url}/videos/{wanted}{path}"
    return httpx.get(url, headers=KEY, timeout=1, trust_env=False)


def fetch(url: str) -> set[object]:
    """All that can be said about how it ended."""
    try:
        answer = httpx.get(url, headers=KEY, timeout=0.3, trust_env=False)
    except httpx.TransportError as error:
        return {type(error)}
    return {answer.status_code, answer.headers["content-type"], len(answer.content)}


def wait_for(upstream: Simulator, wanted: str, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + 5
    while True:
        video: dict[str, Any] = show_video(upstream, wanted).json()
        if video["status"] in states:
            return video
        assert time.monotonic() < deadline, video
        time.sleep(0.01)


def test_a_video_from_order_to_content(client: openai.OpenAI, upstream: Simulator) -> None:
    video = client.videos.create(
        model="demo-video-work150",
        prompt="a cat",
        seconds="8",
        size="1280x720",
        input_reference=("a.png", b"png"),
    )
    assert (video.status, video.progress, video.seconds) == ("queued", 0, "8")
    done = client.videos.poll(video.id)
    assert (done.status, done.progress, done.size) == ("completed", 100, "1280x720")
    content = client.videos.download_content(video.id)
    assert content.response.headers["content-type"] == "video/mp4"
    assert content.content[4:8] == b"ftyp"
    (work,) = upstream.works()
    assert (work["kind"], work["id"], work["units"]) == ("video.generation", video.id, 8)
    assert work["polls"] >= 2
    (file,) = upstream.journal()[0]["body"]["files"]
    assert (file["field"], file["bytes"]) == ("input_reference", 3)


def test_videos_are_listed_and_deleted(client: openai.OpenAI, upstream: Simulator) -> None:
    made = [client.videos.create(model="demo-work0", prompt=str(n)).id for n in range(3)]
    assert [video.id for video in client.videos.list(limit=2)] == made[::-1]
    assert [video.id for video in client.videos.list(order="asc", after=made[0])] == made[1:]
    assert client.videos.delete(made[0]).deleted
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(made[0])
    assert len(list(client.videos.list())) == 2
    assert upstream.works_summary()["video.generation"] == {
        "works": 3,
        "units": 12,
        "submits": 3,
        "states": {"deleted": 1, "completed": 2},
    }


def test_a_video_belongs_to_the_key_that_ordered_it(upstream: Simulator) -> None:
    wanted = order_video(upstream, "demo").json()["id"]
    url = f"{upstream.openai_url}/videos/{wanted}"
    other = httpx.get(url, headers={"Authorization": "Bearer sk-other"}, trust_env=False)
    assert other.status_code == 404
    assert show_video(upstream, wanted).status_code == 200


def test_states_come_with_time(upstream: Simulator) -> None:
    answer = order_video(upstream, "demo-work1000-poll7")
    assert answer.headers["openai-poll-after-ms"] == "7"
    wanted = answer.json()["id"]
    assert show_video(upstream, wanted, "/content").status_code == 400
    running = wait_for(upstream, wanted, "in_progress")
    assert 20 <= running["progress"] < 100
    assert wait_for(upstream, wanted, "completed")["completed_at"]


def test_videos_that_fail_are_stuck_odd_or_lost(upstream: Simulator) -> None:
    failed = order_video(upstream, "demo-work50-fail40").json()["id"]
    assert wait_for(upstream, failed, "failed")["error"]["code"] == "video_generation_failed"
    assert show_video(upstream, failed).json()["progress"] == 40
    stuck = order_video(upstream, "demo-work1-stuck").json()["id"]
    assert wait_for(upstream, stuck, "in_progress")["progress"] == 50
    odd = order_video(upstream, "demo-stuck-oddstate").json()["id"]
    assert show_video(upstream, odd).json()["status"] == "warming_up"
    lost = order_video(upstream, "demo-lost").json()["id"]
    assert show_video(upstream, lost).status_code == 404
    assert upstream.works(id=lost)[0]["lost"]


def test_a_gate_holds_a_video_unfinished(upstream: Simulator) -> None:
    wanted = order_video(upstream, "demo-work1-gateend.finish").json()["id"]
    time.sleep(0.02)
    assert show_video(upstream, wanted).json()["progress"] == 99
    upstream.open_gate("end")
    assert show_video(upstream, wanted).json()["status"] == "completed"


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        ("urlgone", 404),
        ("urltype", "text/html; charset=utf-8"),
        ("urlcut", httpx.ReadError),
        ("urlhang", httpx.ReadTimeout),
        ("urlhuge3", 3 * 1024 * 1024),
    ],
)
def test_results_die(upstream: Simulator, fault: str, ending: object) -> None:
    video = order_video(upstream, f"demo-work0-{fault}").json()["id"]
    image = order_image(upstream, f"demo-{fault}").json()["data"][0]["url"]
    for url in (f"{upstream.openai_url}/videos/{video}/content", image):
        assert ending in fetch(url)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("banned", 400, "moderation_blocked"),
        ("policy", 400, "content_filter"),
        ("full", 429, "rate_limit_exceeded"),
        ("noaccount", 503, None),
        ("invalid", 400, None),
        ("e429-ra7", 429, "rate_limit_exceeded"),
        ("e503", 503, "engine_overloaded"),
    ],
)
def test_refused_orders_are_no_works(
    upstream: Simulator, fault: str, status: int, code: str | None
) -> None:
    for answer in (
        order_video(upstream, f"demo-{fault}"),
        order_image(upstream, f"demo-{fault}"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert upstream.works() == []


def test_an_accepted_order_whose_answer_is_lost(upstream: Simulator) -> None:
    for order in (order_video, order_image):
        with pytest.raises(httpx.TransportError):
            order(upstream, "demo-cutaccept-work0")
    assert [work["state"] for work in upstream.works()] == ["completed"] * 2
    assert order_video(upstream, "demo-html").text.startswith("<!DOCTYPE")
    with pytest.raises(httpx.ReadError):
        order_video(upstream, "demo-k0")
    assert len(upstream.works()) == 4


def test_gates_before_and_after_accepting(upstream: Simulator) -> None:
    with pytest.raises(httpx.ReadTimeout):
        order_image(upstream, "demo-gatebefore.head", timeout=0.5)
    assert upstream.gate("before", arrived=1)["waiting"] <= 1
    assert upstream.works() == []
    with pytest.raises(httpx.ReadTimeout):
        order_image(upstream, "demo-gateafter.accepted", timeout=0.5)
    (work,) = upstream.works()
    assert (work["model"], work["state"]) == ("demo-gateafter.accepted", "completed")


def test_images_take_their_time_fail_or_never_come(upstream: Simulator) -> None:
    began = time.monotonic()
    assert order_image(upstream, "demo-work80").status_code == 200
    assert time.monotonic() - began >= 0.08
    assert order_image(upstream, "demo-work40-fail50").status_code == 500
    with pytest.raises(httpx.ReadTimeout):
        order_image(upstream, "demo-stuck", timeout=0.5)
    states = [work["state"] for work in upstream.works()]
    assert states == ["completed", "failed", "in_progress"]


def test_idempotency_keys_are_honoured_if_told_so(upstream: Simulator) -> None:
    key = {"Idempotency-Key": '"abc"'}
    first, second = (order_video(upstream, "demo-idem", **key).json() for _ in range(2))
    assert first == second
    other = order_video(upstream, "demo-idem", **{"Idempotency-Key": "abd"}).json()
    assert other["id"] != first["id"]
    plain = [order_video(upstream, "demo", **key).json()["id"] for _ in range(2)]
    assert len(set(plain)) == 2
    works = upstream.works(model="demo-idem")
    assert [(work["idempotency_key"], work["submits"]) for work in works] == [
        ("abc", 2),
        ("abd", 1),
    ]


def test_an_answer_that_was_cut_can_be_had_by_the_same_idempotency_key(upstream: Simulator) -> None:
    headers = {**KEY, "Idempotency-Key": "abc"}
    upstream.fault("cutaccept-idem", times=1)
    with pytest.raises(httpx.TransportError):
        order_image(upstream, "demo-idem", headers=headers)
    assert order_image(upstream, "demo-idem", headers=headers).status_code == 200
    (work,) = upstream.works()
    assert (work["submits"], work["units"]) == (2, 1)


def test_works_end_with_a_reset(upstream: Simulator) -> None:
    order_video(upstream, "demo")
    upstream.clear_journal()
    assert len(upstream.works(kind="video.generation", state="queued")) == 1
    upstream.reset()
    assert upstream.works() == []
    with pytest.raises(ValueError, match="unknown choices"):
        upstream.works(nonsense="x")
