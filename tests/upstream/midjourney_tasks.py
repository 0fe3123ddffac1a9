"""Midjourney's task object and the routes that read, list and cancel tasks."""

import hashlib
import time
from typing import Any

from tests.upstream.behaviour import Fault
from tests.upstream.midjourney_shapes import Code, answer_code, encode, invalid, not_found
from tests.upstream.reply import Call, Reply
from tests.upstream.results import NOT_FOUND, show, spoil
from tests.upstream.works import Standing, Work, WorkState

KIND = "midjourney."
PREVIEW_PERCENT = 40
# So long a task has not even begun, in percent of its time.
NOT_START_PERCENT = 8
STATUS = {
    WorkState.QUEUED: "SUBMITTED",
    WorkState.IN_PROGRESS: "IN_PROGRESS",
    WorkState.AWAITING_INPUT: "MODAL",
    WorkState.COMPLETED: "SUCCESS",
    WorkState.FAILED: "FAILURE",
    WorkState.CANCELLED: "CANCEL",
}
ODD_STATUS = "WARMING_UP"
FAIL_REASON = "Internal error of the simulated upstream"
WITH_TEXT = frozenset({"DESCRIBE", "SHORTEN"})
SINGLE = frozenset({"UPSCALE", "UPLOAD", "SWAP_FACE"})


def fetch(call: Call) -> Reply:
    """A task that is not known is ``null``, as the original answers."""
    work = call.works.poll(call.path.split("/")[-2])
    if work is None:
        return Reply(b"null")
    return Reply(encode(describe(work, call.works.standing(work))))


def list_by_ids(call: Call) -> Reply:
    found = (call.works.poll(str(wanted)) for wanted in call.body["ids"])
    return Reply(encode(_describe_all(call, [work for work in found if work is not None])))


def list_all(call: Call) -> Reply:
    return Reply(encode(_describe_all(call, _list_tasks(call))))


def list_queue(call: Call) -> Reply:
    tasks = [work for work in _list_tasks(call) if not call.works.standing(work).is_final]
    return Reply(encode(_describe_all(call, tasks)))


def show_seed(call: Call) -> Reply:
    work = call.works.find(call.path.split("/")[-2])
    if work is None:
        return not_found()
    if call.works.standing(work).state is not WorkState.COMPLETED:
        return invalid("The task is not finished")
    seed = int.from_bytes(hashlib.sha256(work.prompt.encode()).digest()[:4], "big")
    return answer_code(Code.SUCCESS, "success", str(seed))


def cancel(call: Call) -> Reply:
    work = call.works.find(call.path.split("/")[-2])
    if work is None:
        return not_found()
    if call.works.standing(work).is_final:
        return invalid("The task is finished already")
    if "nocancel" in work.fault.flags:
        return answer_code(Code.FAILURE, "The task cannot be cancelled")
    call.works.end(work, WorkState.CANCELLED)
    return answer_code(Code.SUCCESS, "success", work.id)


def show_image(call: Call) -> Reply:
    """The proxy's own address of a finished picture; as in the original it asks for no key."""
    work = call.works.find(call.path.split("/")[-1])
    if work is None or call.works.standing(work).state is not WorkState.COMPLETED:
        return NOT_FOUND
    return spoil(show(work, "0"), work.fault)


def describe(work: Work, standing: Standing) -> dict[str, Any]:
    details = work.details
    return {
        "id": work.id,
        "action": details["action"],
        "customId": details.get("custom_id"),
        "botType": details.get("bot_type", "MID_JOURNEY"),
        "status": _status(work, standing),
        "prompt": work.prompt,
        "promptEn": work.prompt,
        "description": f"/{details['action'].lower()} {work.prompt}",
        "state": details.get("state"),
        "submitTime": _milliseconds(work.accepted_at),
        "startTime": _milliseconds(work.started_at),
        "finishTime": _milliseconds(work.finished_at) if standing.is_final else None,
        "progress": "" if standing.state is WorkState.FAILED else f"{standing.progress}%",
        "imageUrl": _image_url(work, standing),
        "failReason": FAIL_REASON if standing.state is WorkState.FAILED else None,
        "properties": _properties(work, standing),
        "buttons": _buttons(work) if standing.state is WorkState.COMPLETED else [],
        "maskBase64": details.get("mask"),
    }


def image_url(work: Work, part: str) -> str:
    return f"{work.details['base_url']}/files/{work.id}-{part}.png"


def _describe_all(call: Call, works: list[Work]) -> list[dict[str, Any]]:
    return [describe(work, call.works.standing(work)) for work in works]


def _list_tasks(call: Call) -> list[Work]:
    works = call.works.by_id.values()
    return [work for work in works if work.kind.startswith(KIND) and not work.is_lost]


def _status(work: Work, standing: Standing) -> str:
    if "oddstate" in work.fault.flags and not standing.is_final:
        return ODD_STATUS
    if standing.state is WorkState.QUEUED and is_fresh(work):
        return "NOT_START"
    return STATUS[standing.state]


def _image_url(work: Work, standing: Standing) -> str | None:
    if work.details["action"] in WITH_TEXT:
        return None
    if standing.state is WorkState.COMPLETED:
        return image_url(work, "0")
    has_preview = standing.state is WorkState.IN_PROGRESS and standing.progress >= PREVIEW_PERCENT
    return image_url(work, "preview") if has_preview else None


def _properties(work: Work, standing: Standing) -> dict[str, Any]:
    properties: dict[str, Any] = {"notifyHook": work.details.get("hook")}
    if standing.state is not WorkState.COMPLETED:
        return properties
    prompt = work.prompt
    if work.details["action"] in WITH_TEXT:
        prompt = f"1️⃣ a demo of {prompt or 'a picture'} --ar 1:1"
    return {**properties, "finalPrompt": prompt}


def _buttons(work: Work) -> list[dict[str, Any]]:
    """What can be done with a finished picture, each with the id that /submit/action takes."""
    if work.details["action"] in WITH_TEXT:
        return []
    tag = hashlib.md5(work.id.encode(), usedforsecurity=False).hexdigest()
    if work.details["action"] in SINGLE:
        named = [
            (f"MJ::Inpaint::1::{tag}::SOLO", "Vary (Region)"),
            (f"MJ::Outpaint::50::1::{tag}::SOLO", "Zoom Out 2x"),
            (f"MJ::CustomZoom::{tag}", "Custom Zoom"),
            (f"MJ::JOB::pan_left::1::{tag}::SOLO", ""),
            (f"MJ::JOB::animate_high::1::{tag}::SOLO", "Animate"),
        ]
    else:
        named = [(f"MJ::JOB::upsample::{index}::{tag}", f"U{index}") for index in range(1, 5)]
        named.append((f"MJ::JOB::reroll::0::{tag}::SOLO", ""))
        named += [(f"MJ::JOB::variation::{index}::{tag}", f"V{index}") for index in range(1, 5)]
    return [
        {"customId": custom_id, "emoji": "", "label": label, "type": 2, "style": 2}
        for custom_id, label in named
    ]


def list_custom_ids(work: Work) -> list[str]:
    return [button["customId"] for button in _buttons(work)]


def inherit(fault: Fault) -> Fault:
    """Of its parent's behaviour a child only has the pace."""
    return Fault(work_ms=fault.work_ms)


def is_fresh(work: Work) -> bool:
    return (time.time() - work.started_at) * 100_000 < NOT_START_PERCENT * work.takes_ms


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)
