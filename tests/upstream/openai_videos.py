"""The routes under /videos: works that take their time, seen only by the key that ordered them."""

import re
import secrets
from typing import Any

from tests.upstream.clips import film_mp4
from tests.upstream.openai_shapes import answer_headers, encode, error_reply, missing
from tests.upstream.reply import Call, Reply
from tests.upstream.results import spoil
from tests.upstream.works import Order, Standing, Work, WorkState

KIND = "video.generation"
DEFAULT_MODEL = "sora-2"
DEFAULT_SECONDS = 4
DEFAULT_SIZE = "720x1280"
LONGEST_SECONDS = 60
DEFAULT_WORK_MS = 300
DEFAULT_POLL_MS = 50
DEFAULT_PAGE = 20
LIFE_SECONDS = 86_400

# OpenAI has no word for what is cancelled: that has failed.
STATUS = {WorkState.CANCELLED: "failed", WorkState.AWAITING_INPUT: "in_progress"}

_size = re.compile(r"\d{2,4}x\d{2,4}")


def create(call: Call) -> Reply:
    prompt, size = call.body.get("prompt"), call.body.get("size") or DEFAULT_SIZE
    if not prompt:
        return missing("prompt")
    seconds = int(call.body.get("seconds") or DEFAULT_SECONDS)
    if not 0 < seconds <= LONGEST_SECONDS:
        return _refuse("seconds")
    if not _size.fullmatch(size):
        return _refuse("size")
    details = {"size": size, "seconds": seconds}
    order = Order(KIND, f"video_{secrets.token_hex(16)}", prompt, seconds, DEFAULT_WORK_MS, details)
    work = call.accept(order)
    body = encode(describe(work, Standing(WorkState.QUEUED, 0)))
    return Reply(body, headers=_headers(call, work), work=work)


def show(call: Call) -> Reply:
    work = _poll(call, call.path.split("/")[-1])
    if work is None:
        return _not_found(call)
    return Reply(encode(describe(work, call.works.standing(work))), headers=_headers(call, work))


def show_content(call: Call) -> Reply:
    work = _find(call, call.path.split("/")[-2])
    if work is None:
        return _not_found(call)
    if call.works.standing(work).state is not WorkState.COMPLETED:
        text = f"Video '{work.id}' is not ready."
        return error_reply(400, text, "invalid_request_error", None, "video_not_ready")
    film = film_mp4(work.prompt, work.details["seconds"])
    reply = Reply(film, content_type="video/mp4", headers=answer_headers(call))
    return spoil(reply, work.fault)


def delete(call: Call) -> Reply:
    work = _find(call, call.path.split("/")[-1])
    if work is None:
        return _not_found(call)
    call.works.end(work, WorkState.DELETED)
    body = {"id": work.id, "object": "video.deleted", "deleted": True}
    return Reply(encode(body), headers=answer_headers(call))


def list_all(call: Call) -> Reply:
    """Newest first unless asked otherwise; ``after`` an id, at most ``limit``."""
    found = [work for work in call.works.by_id.values() if _is_visible(call, work)]
    if call.query.get("order") != "asc":
        found.reverse()
    after = [index for index, work in enumerate(found) if work.id == call.query.get("after")]
    rest = found[after[0] + 1 :] if after else found
    page = rest[: int(call.query.get("limit") or DEFAULT_PAGE)]
    data = [describe(work, call.works.standing(work)) for work in page]
    body = {
        "object": "list",
        "data": data,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
        "has_more": len(rest) > len(page),
    }
    return Reply(encode(body), headers=answer_headers(call))


def describe(work: Work, standing: Standing) -> dict[str, Any]:
    status = STATUS.get(standing.state, standing.state.value)
    if "oddstate" in work.fault.flags and not standing.is_final:
        status = "warming_up"
    is_done = standing.state is WorkState.COMPLETED
    error = {"code": "video_generation_failed", "message": "The generation has failed."}
    return {
        "id": work.id,
        "object": "video",
        "created_at": int(work.accepted_at),
        "completed_at": int(work.finished_at or work.accepted_at) if is_done else None,
        "expires_at": int(work.accepted_at) + LIFE_SECONDS if is_done else None,
        "status": status,
        "progress": standing.progress,
        "model": work.model,
        "prompt": work.prompt,
        "seconds": str(work.details["seconds"]),
        "size": work.details["size"],
        "remixed_from_video_id": None,
        "error": error if status == "failed" else None,
    }


def _refuse(param: str) -> Reply:
    return error_reply(400, f"Invalid value: '{param}'.", "invalid_request_error", param)


def _headers(call: Call, work: Work) -> dict[str, str]:
    wait_ms = DEFAULT_POLL_MS if work.fault.poll_after_ms is None else work.fault.poll_after_ms
    return {**answer_headers(call), "openai-poll-after-ms": str(wait_ms)}


def _is_visible(call: Call, work: Work) -> bool:
    if work.kind != KIND or work.key != call.key or work.is_lost:
        return False
    return call.works.standing(work).state is not WorkState.DELETED


def _find(call: Call, wanted: str) -> Work | None:
    work = call.works.find(wanted)
    return work if work is not None and _is_visible(call, work) else None


def _poll(call: Call, wanted: str) -> Work | None:
    call.works.poll(wanted)
    return _find(call, wanted)


def _not_found(call: Call) -> Reply:
    text = f"Video with id '{call.path.split('/videos/')[-1]}' not found."
    return error_reply(404, text, "invalid_request_error", "id", "not_found")
