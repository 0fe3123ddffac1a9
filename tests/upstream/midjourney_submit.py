"""POST /mj/submit/…: takes orders, or refuses them with HTTP 200 and a code."""

import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from tests.upstream import midjourney_hooks
from tests.upstream.midjourney_shapes import Code, answer_code, invalid, not_found
from tests.upstream.midjourney_tasks import KIND, image_url, inherit, list_custom_ids
from tests.upstream.reply import Call, Reply
from tests.upstream.works import Order, Work, WorkState

DEFAULT_WORK_MS = 300
SIZES = {"PORTRAIT": (832, 1248), "SQUARE": (1024, 1024), "LANDSCAPE": (1248, 832)}
CHANGES = ("UPSCALE", "VARIATION", "REROLL")
SHORT = {"U": "UPSCALE", "V": "VARIATION", "R": "REROLL"}
# What a button begins, by a word of its custom id.
BUTTONS = {
    "upsample": "UPSCALE",
    "variation": "VARIATION",
    "reroll": "REROLL",
    "Outpaint": "OUTPAINT",
    "pan": "PAN",
    "animate": "VIDEO",
    "Inpaint": "INPAINT",
    "CustomZoom": "CUSTOM_ZOOM",
}
NEED_MODAL = frozenset({"INPAINT", "CUSTOM_ZOOM"})

_data_url = re.compile(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=\s]+")
_simple = re.compile(r"(\d+)\s+(?:([UV])([1-4])|(R))", re.IGNORECASE)


def answer(call: Call) -> Reply:
    name = call.path.rpartition("/submit/")[2]
    submit = SUBMITS.get(name)
    return invalid(f"There is no submit {name}") if submit is None else submit(call)


def swap_face(call: Call) -> Reply:
    if not _are_pictures([call.body.get("sourceBase64"), call.body.get("targetBase64")]):
        return invalid("base64 error")
    return _accept(call, "SWAP_FACE")


def imagine(call: Call) -> Reply:
    if not str(call.body.get("prompt") or "").strip():
        return invalid("prompt cannot be empty")
    if not _are_pictures(call.body.get("base64Array") or []):
        return invalid("base64 error")
    return _accept(call, "IMAGINE")


def shorten(call: Call) -> Reply:
    if not call.body.get("prompt"):
        return invalid("prompt cannot be empty")
    return _accept(call, "SHORTEN")


def describe(call: Call) -> Reply:
    if not _are_pictures([call.body.get("base64")]):
        return invalid("base64 error")
    return _accept(call, "DESCRIBE")


def blend(call: Call) -> Reply:
    pictures = call.body.get("base64Array") or []
    if not 2 <= len(pictures) <= 5 or not _are_pictures(pictures):
        return invalid("base64List error")
    dimensions = call.body.get("dimensions") or "SQUARE"
    if dimensions not in SIZES:
        return invalid("dimensions error")
    return _accept(call, "BLEND", {"size": SIZES[dimensions]})


def upload(call: Call) -> Reply:
    """No task: the addresses of the pictures are the result."""
    pictures = call.body.get("base64Array") or []
    if not pictures or not _are_pictures(pictures):
        return invalid("base64 error")
    details = _details(call, "UPLOAD", {})
    work = call.accept(Order(f"{KIND}upload", new_task_id(call), details=details))
    urls = [image_url(work, str(index)) for index in range(len(pictures))]
    return answer_code(Code.SUCCESS, "success", urls, work=work)


def edit(call: Call) -> Reply:
    return _accept(call, "EDIT") if call.body.get("prompt") else invalid("prompt cannot be empty")


def retexture(call: Call) -> Reply:
    if not call.body.get("prompt"):
        return invalid("prompt cannot be empty")
    return _accept(call, "RETEXTURE")


def film(call: Call) -> Reply:
    return _accept(call, "VIDEO") if call.body.get("prompt") else invalid("prompt cannot be empty")


def change(call: Call) -> Reply:
    action, index = call.body.get("action"), call.body.get("index")
    if action not in CHANGES:
        return invalid("action error")
    if action != "REROLL" and index not in {1, 2, 3, 4}:
        return invalid("index error")
    return _change(call, str(call.body.get("taskId")), action, index)


def change_simply(call: Call) -> Reply:
    found = _simple.fullmatch(str(call.body.get("content") or "").strip())
    if found is None:
        return invalid("content error")
    task_id, letter, index, reroll = found.groups()
    action = SHORT[(letter or reroll).upper()]
    return _change(call, task_id, action, int(index) if index else None)


def press(call: Call) -> Reply:
    """A button of a finished task; some of them ask for more before anything begins."""
    custom_id = str(call.body.get("customId") or "")
    parent = call.works.find(str(call.body.get("taskId")))
    if parent is None:
        return not_found("The parent task")
    if (refusal := _refuse_parent(call, parent)) is not None:
        return refusal
    if custom_id not in list_custom_ids(parent):
        return invalid("customId error")
    action = next(action for word, action in BUTTONS.items() if word in custom_id)
    index = int(custom_id.split("::")[3]) if action in {"UPSCALE", "VARIATION"} else None
    said = {"custom_id": custom_id, "index": index}
    return _accept(call, action, said, parent=parent, awaits_input=action in NEED_MODAL)


def confirm(call: Call) -> Reply:
    work = call.works.find(str(call.body.get("taskId")))
    if work is None:
        return not_found()
    if not work.awaits_input:
        return invalid("The task does not wait for a modal")
    work.prompt = str(call.body.get("prompt") or work.prompt)
    work.details["mask"] = call.body.get("maskBase64")
    work.fault = call.fault.over(work.fault)
    call.works.confirm(work)
    return answer_code(Code.SUCCESS, "Submitted successfully", work.id)


def new_task_id(call: Call) -> str:
    """13 digits of milliseconds and 3 random ones."""
    while True:
        found = f"{int(time.time() * 1000)}{secrets.randbelow(1000):03}"
        if found not in call.works.by_id:
            return found


def _change(call: Call, task_id: str, action: str, index: int | None) -> Reply:
    parent = call.works.find(task_id)
    if parent is None:
        return not_found("The parent task")
    if (refusal := _refuse_parent(call, parent)) is not None:
        return refusal
    if action == "UPSCALE" and (done := _find_upscale(call, parent, index)) is not None:
        properties = {"status": "SUCCESS", "imageUrl": image_url(done, "0")}
        return answer_code(Code.EXISTED, "The task exists already", done.id, properties)
    return _accept(call, action, {"index": index}, parent=parent)


def _refuse_parent(call: Call, parent: Work) -> Reply | None:
    if call.works.standing(parent).state is not WorkState.COMPLETED:
        return invalid("The parent task is not finished")
    return None


def _find_upscale(call: Call, parent: Work, index: int | None) -> Work | None:
    wanted = {"action": "UPSCALE", "parent": parent.id, "index": index}
    for work in call.works.by_id.values():
        if wanted.items() <= work.details.items():
            is_done = call.works.standing(work).state is WorkState.COMPLETED
            return work if is_done and not work.is_lost else None
    return None


def _are_pictures(pictures: list[Any]) -> bool:
    return all(isinstance(each, str) and _data_url.fullmatch(each) for each in pictures)


def _details(call: Call, action: str, said: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": action,
        "state": call.body.get("state"),
        "hook": call.body.get("notifyHook"),
        "bot_type": call.body.get("botType") or "MID_JOURNEY",
        "size": SIZES["SQUARE"],
        "base_url": call.base_url,
        **said,
    }


def _accept(
    call: Call,
    action: str,
    said: dict[str, Any] | None = None,
    *,
    parent: Work | None = None,
    awaits_input: bool = False,
) -> Reply:
    details = _details(call, action, said or {})
    fault, prompt = call.fault, str(call.body.get("prompt") or "")
    if parent is not None:
        details["parent"] = parent.id
        prompt = prompt or parent.prompt
        fault = fault.over(inherit(parent.fault))
    order = Order(
        f"{KIND}{action.lower()}",
        new_task_id(call),
        prompt,
        takes_ms=DEFAULT_WORK_MS,
        details=details,
        awaits_input=awaits_input or "modal" in fault.flags,
    )
    work = call.works.accept(order, call.model, call.key, fault)
    if details["hook"]:
        call.works.spawn(midjourney_hooks.notify(call.works, work, details["hook"]))
    return _answer_accepted(call, work)


def _answer_accepted(call: Call, work: Work) -> Reply:
    properties: dict[str, Any] = {"discordInstanceId": "1118138338562560102"}
    if work.awaits_input:
        text = "Waiting for window confirm"
        return answer_code(Code.EXISTED, text, work.id, properties, work=work)
    if "waits" in call.fault.flags:
        properties["numberOfQueues"] = 1
        return answer_code(Code.IN_QUEUE, "In queue, 1 ahead", work.id, properties, work=work)
    return answer_code(Code.SUCCESS, "Submitted successfully", work.id, properties, work=work)


SUBMITS: dict[str, Callable[[Call], Reply]] = {
    "imagine": imagine,
    "change": change,
    "simple-change": change_simply,
    "describe": describe,
    "blend": blend,
    "action": press,
    "modal": confirm,
    "shorten": shorten,
    "upload-discord-images": upload,
    "edit": edit,
    "edits": edit,
    "retexture": retexture,
    "video": film,
}
