"""The simulator as Midjourney-proxy: submits, tasks and buttons."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.upstream.asking import only_entry
from tests.upstream.asking_midjourney import KEY, fetch, get, imagine, post, submit, wait_for
from tests.upstream.client import Simulator

PICTURE = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


@pytest.fixture
def upstream(running: Simulator) -> Simulator:
    running.reset()
    return running


def test_an_imagine_from_submit_to_picture(upstream: Simulator) -> None:
    task_id = imagine(upstream, "a cat --sim:work1200", state="mine", botType="NIJI_JOURNEY")
    assert len(task_id) == 16
    seen = [wait_for(upstream, task_id, "NOT_START", "SUBMITTED")]
    seen.append(wait_for(upstream, task_id, "IN_PROGRESS"))
    done = wait_for(upstream, task_id, "SUCCESS")
    assert all(task["finishTime"] is None for task in seen)
    assert (done["progress"], done["state"], done["action"]) == ("100%", "mine", "IMAGINE")
    assert done["botType"] == "NIJI_JOURNEY"
    assert done["submitTime"] <= done["startTime"] < done["finishTime"]
    assert [button["label"] for button in done["buttons"]][:4] == ["U1", "U2", "U3", "U4"]
    picture = httpx.get(done["imageUrl"], trust_env=False)
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    proxied = httpx.get(f"{upstream.midjourney_url}/image/{task_id}", trust_env=False)
    assert proxied.content == picture.content
    assert get(upstream, f"task/{task_id}/image-seed")["code"] == 1
    (work,) = upstream.works()
    assert (work["kind"], work["units"], work["key"]) == ("midjourney.imagine", 1, "secret")


def test_a_preview_is_there_before_the_picture(upstream: Simulator) -> None:
    task = fetch(upstream, imagine(upstream, "a cat --sim:work0-stuck"))
    assert (task["status"], task["progress"]) == ("IN_PROGRESS", "50%")
    assert task["imageUrl"].endswith("-preview.png")
    assert httpx.get(task["imageUrl"], trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("spec", "code"),
    [("banned", 24), ("full", 23), ("noaccount", 3), ("invalid", 4), ("typo9", 9)],
)
def test_refusals(upstream: Simulator, spec: str, code: int) -> None:
    answer = post(upstream, "submit/imagine", prompt=f"a cat --sim:{spec}").json()
    assert (answer["code"], answer["result"]) == (code, None)
    assert upstream.works() == []
    if code == 24:
        assert answer["properties"]["bannedWord"] == "a"


def test_refusals_by_status_and_by_rule(upstream: Simulator) -> None:
    assert post(upstream, "submit/imagine", prompt="a --sim:policy").status_code == 400
    assert post(upstream, "submit/imagine", prompt="a --sim:e429-ra3").status_code == 429
    assert post(upstream, "midjourney-e503/submit/imagine", prompt="a").status_code == 503
    upstream.fault("full", path="*/submit/imagine", times=1)
    codes = [post(upstream, "submit/imagine", prompt="a").json()["code"] for _ in range(2)]
    assert codes == [23, 1]
    limited = [post(upstream, "submit/imagine", prompt="a --sim:fullx2") for _ in range(3)]
    assert [answer.json()["code"] for answer in limited] == [23, 23, 1]


def test_keys(upstream: Simulator) -> None:
    url = f"{upstream.midjourney_url}/task/queue"
    headers: list[dict[str, str]] = [
        {},
        {"mj-api-secret": "bad"},
        {"mj-api-secret": "x"},
        {"Authorization": "Bearer x"},
    ]
    statuses = [httpx.get(url, headers=each, trust_env=False).status_code for each in headers]
    assert statuses == [401, 401, 200, 200]


def test_a_queued_submit_is_code_22(upstream: Simulator) -> None:
    answer = post(upstream, "submit/imagine", prompt="a --sim:waits-work0").json()
    assert (answer["code"], answer["properties"]["numberOfQueues"]) == (22, 1)
    assert fetch(upstream, answer["result"])["status"] == "SUCCESS"


def test_changes(upstream: Simulator) -> None:
    parent = imagine(upstream)
    upscaled = submit(upstream, "change", taskId=parent, action="UPSCALE", index=2)
    assert fetch(upstream, upscaled)["action"] == "UPSCALE"
    again = post(upstream, "submit/change", taskId=parent, action="UPSCALE", index=2).json()
    assert (again["code"], again["result"]) == (21, upscaled)
    assert again["properties"]["status"] == "SUCCESS"
    varied = submit(upstream, "simple-change", content=f"{parent} V3")
    assert fetch(upstream, varied)["action"] == "VARIATION"
    assert fetch(upstream, submit(upstream, "simple-change", content=f"{parent} R"))
    kinds = [work["kind"].removeprefix("midjourney.") for work in upstream.works()]
    assert kinds == ["imagine", "upscale", "variation", "reroll"]


@pytest.mark.parametrize(
    ("action", "body", "code"),
    [
        ("imagine", {"prompt": " "}, 4),
        ("imagine", {"prompt": "a", "base64Array": ["http://x/a.png"]}, 4),
        ("change", {"taskId": "1", "action": "UPSCALE", "index": 1}, 3),
        ("change", {"taskId": "1", "action": "UPSCALE"}, 4),
        ("change", {"taskId": "1", "action": "EAT"}, 4),
        ("simple-change", {"content": "1 X2"}, 4),
        ("describe", {"base64": "nothing"}, 4),
        ("blend", {"base64Array": [PICTURE]}, 4),
        ("blend", {"base64Array": [PICTURE] * 2, "dimensions": "ROUND"}, 4),
        ("action", {"taskId": "1", "customId": "x"}, 3),
        ("modal", {"taskId": "1"}, 3),
        ("shorten", {}, 4),
        ("nothing", {}, 4),
    ],
)
def test_wrong_submits(upstream: Simulator, action: str, body: dict[str, Any], code: int) -> None:
    assert post(upstream, f"submit/{action}", **body).json()["code"] == code
    assert upstream.works() == []


def test_other_submits(upstream: Simulator) -> None:
    upstream.fault("work0")
    described = fetch(upstream, submit(upstream, "describe", base64=PICTURE))
    assert "--ar 1:1" in described["properties"]["finalPrompt"]
    assert described["imageUrl"] is None
    blended = submit(upstream, "blend", base64Array=[PICTURE] * 2, dimensions="PORTRAIT")
    picture = httpx.get(fetch(upstream, blended)["imageUrl"], trust_env=False).content
    assert picture[16:24] == (832).to_bytes(4, "big") + (1248).to_bytes(4, "big")
    short = fetch(upstream, submit(upstream, "shorten", prompt="a very long cat"))
    assert short["properties"]["finalPrompt"]
    uploaded = post(upstream, "submit/upload-discord-images", base64Array=[PICTURE]).json()
    (url,) = uploaded["result"]
    assert httpx.get(url, trust_env=False).status_code == 200
    swap = {"sourceBase64": PICTURE, "targetBase64": PICTURE}
    assert post(upstream, "insight-face/swap", **swap).json()["code"] == 1
    for action in ("edit", "edits", "retexture", "video"):
        submit(upstream, action, prompt="a cat")


def test_buttons_and_the_modal(upstream: Simulator) -> None:
    buttons = fetch(upstream, imagine(upstream))["buttons"]
    parent = upstream.works()[0]["id"]
    upscaled = submit(upstream, "action", taskId=parent, customId=buttons[1]["customId"])
    task = fetch(upstream, upscaled)
    assert (task["action"], task["status"]) == ("UPSCALE", "SUCCESS")
    by_label = {button["label"]: button["customId"] for button in task["buttons"]}
    zoomed = submit(upstream, "action", taskId=upscaled, customId=by_label["Zoom Out 2x"])
    assert fetch(upstream, zoomed)["action"] == "OUTPAINT"
    vary = {"taskId": upscaled, "customId": by_label["Vary (Region)"]}
    asked = post(upstream, "submit/action", **vary).json()
    assert (asked["code"], asked["description"]) == (21, "Waiting for window confirm")
    assert fetch(upstream, asked["result"])["status"] == "MODAL"
    body = {"taskId": asked["result"], "prompt": "a dog", "maskBase64": PICTURE}
    assert submit(upstream, "modal", **body) == asked["result"]
    done = fetch(upstream, asked["result"])
    assert (done["status"], done["prompt"], done["maskBase64"]) == ("SUCCESS", "a dog", PICTURE)
    assert post(upstream, "submit/modal", **body).json()["code"] == 4
    wrong = post(upstream, "submit/action", taskId=parent, customId="MJ::JOB::upsample::9::x")
    assert wrong.json()["code"] == 4


def test_tasks_that_end_badly(upstream: Simulator) -> None:
    failed = fetch(upstream, imagine(upstream, "a --sim:work0-fail40"))
    assert (failed["status"], failed["imageUrl"]) == ("FAILURE", None)
    assert failed["failReason"]
    assert fetch(upstream, imagine(upstream, "a --sim:lost")) is None
    assert fetch(upstream, imagine(upstream, "a --sim:oddstate-stuck"))["status"] == "WARMING_UP"
    dead = fetch(upstream, imagine(upstream, "a --sim:work0-urlgone"))
    assert dead["status"] == "SUCCESS"
    assert httpx.get(dead["imageUrl"], trust_env=False).status_code == 404
    assert fetch(upstream, "1234567890123456") is None


def test_lists_and_the_queue(upstream: Simulator) -> None:
    done, lost, stuck = (
        imagine(upstream, f"a --sim:{spec}") for spec in ("work0", "lost", "stuck")
    )
    asked = post(upstream, "task/list-by-condition", ids=[done, lost, stuck, "1"]).json()
    assert [task["id"] for task in asked] == [done, stuck]
    assert [task["id"] for task in get(upstream, "task/queue")] == [stuck]
    assert [task["id"] for task in get(upstream, "task/list")] == [done, stuck]
    assert [work["polls"] for work in upstream.works()] == [1, 1, 1]


def test_cancel(upstream: Simulator) -> None:
    task_id = imagine(upstream, "a --sim:stuck")
    assert post(upstream, f"task/{task_id}/cancel").json()["code"] == 1
    assert fetch(upstream, task_id)["status"] == "CANCEL"
    assert post(upstream, f"task/{task_id}/cancel").json()["code"] == 4
    stubborn = imagine(upstream, "a --sim:stuck-nocancel")
    assert post(upstream, f"task/{stubborn}/cancel").json()["code"] == 9
    assert post(upstream, "task/1/cancel").json()["code"] == 3


def test_speed_prefixes_and_models_in_the_path(upstream: Simulator) -> None:
    for prefix in ("mj-fast/mj", "mj/niji-work0", "any/mj-turbo/mj"):
        url = f"{upstream.base_url}/{prefix}/submit/imagine"
        answer = httpx.post(url, json={"prompt": "a"}, headers=KEY, trust_env=False)
        assert answer.json()["code"] == 1
    assert [work["model"] for work in upstream.works()] == [
        "midjourney",
        "niji-work0",
        "midjourney",
    ]
    get(upstream, "task/queue")


def test_a_submit_without_an_answer(upstream: Simulator) -> None:
    with pytest.raises(httpx.TransportError):
        imagine(upstream, "a --sim:cutaccept")
    assert only_entry(upstream)["vendor"] == "midjourney"
    assert len(upstream.works(kind="midjourney.imagine")) == 1
