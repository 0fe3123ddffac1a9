"""POST /images/generations, /images/edits and /images/variations, whole and streamed."""

import base64
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.upstream import tokens
from tests.upstream.openai_shapes import CREATED, answer_headers, encode, error_reply, missing
from tests.upstream.pictures import draw_png
from tests.upstream.reply import EVENT_STREAM, Call, Event, Kind, Reply
from tests.upstream.works import Order, Work

MOST_IMAGES = 10
MOST_PARTIAL_IMAGES = 3
LONGEST_EDGE = 3840
DEFAULT_SIZE = "1024x1024"
# Output tokens of a square of a million pixels; other sizes by their area, rounded up.
TOKENS_BY_QUALITY = {"low": 272, "medium": 1056, "high": 4160, "xhigh": 6240, "max": 8320}
SQUARE = 1024 * 1024
TRUE = (True, "true", "1")

_size = re.compile(r"(\d{1,4})x(\d{1,4})")


@dataclass(frozen=True, slots=True)
class Picture:
    """What all images of one request have in common."""

    prompt: str
    count: int
    width: int
    height: int
    quality: str
    is_transparent: bool
    input_images: int
    is_gpt: bool

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def background(self) -> str:
        return "transparent" if self.is_transparent else "opaque"


def generate(call: Call) -> Reply:
    return _create(call, "generation") if call.body.get("prompt") else missing("prompt")


def edit(call: Call) -> Reply:
    if not call.body.get("prompt"):
        return missing("prompt")
    return _create(call, "edit") if _count_inputs(call) else missing("image")


def vary(call: Call) -> Reply:
    return _create(call, "variation") if _count_inputs(call) else missing("image")


def _create(call: Call, action: str) -> Reply:
    if (refusal := _refuse(call)) is not None:
        return refusal
    picture = _read(call)
    details = {
        "size": (picture.width, picture.height),
        "is_transparent": picture.is_transparent,
    }
    order = Order(
        f"image.{action}",
        f"img_{secrets.token_hex(12)}",
        picture.prompt,
        picture.count,
        details=details,
    )
    work = call.accept(order)
    usage = count_usage(call, picture) if picture.is_gpt else None
    if call.body.get("stream") in TRUE:
        events = list(_stream(call, action, picture, usage))
        return Reply(
            events=events,
            content_type=EVENT_STREAM,
            headers=answer_headers(call),
            usage=_in_chat_words(usage),
            work=work,
            awaits_work=True,
        )
    body = {"created": CREATED, "data": _list_images(call, picture, work)}
    if picture.is_gpt:
        body |= _echo(picture)
    if usage is not None and "nousage" not in call.fault.flags:
        body["usage"] = usage
    return Reply(
        encode(body),
        headers=answer_headers(call),
        usage=_in_chat_words(usage),
        pieces=picture.count,
        work=work,
        awaits_work=True,
    )


def _refuse(call: Call) -> Reply | None:
    for is_wrong, text, param, code in _checks(call.body, is_gpt=_is_gpt(call)):
        if is_wrong:
            return error_reply(400, text, "invalid_request_error", param, code)
    return None


def _checks(body: dict[str, Any], *, is_gpt: bool) -> Iterator[tuple[bool, str, str, str]]:
    """What may be wrong, with the words that are said then."""
    count, size = int(body.get("n") or 1), body.get("size")
    answer_format = body.get("response_format")
    text = f"Invalid 'n': expected an integer from 1 to {MOST_IMAGES}."
    yield not 1 <= count <= MOST_IMAGES, text, "n", "invalid_value"
    yield _find_size(size) is None, f"Invalid size: '{size}'.", "size", "invalid_value"
    text = "Unknown parameter: 'response_format'."
    yield is_gpt and answer_format is not None, text, "response_format", "unknown_parameter"
    text = "Invalid value: 'response_format'."
    is_odd = answer_format not in {None, "url", "b64_json"}
    yield is_odd, text, "response_format", "invalid_value"
    text = "The simulator only draws 'png'."
    is_odd = body.get("output_format") not in {None, "png"}
    yield is_odd, text, "output_format", "invalid_value"
    is_odd = body.get("stream") in TRUE and not is_gpt
    yield is_odd, "This model does not stream.", "stream", "unknown_parameter"


def _is_gpt(call: Call) -> bool:
    return "gpt-image" in call.model


def _count_inputs(call: Call) -> int:
    return sum(file.field in {"image", "image[]"} for file in call.files)


def _find_size(given: str | None) -> tuple[int, int] | None:
    found = _size.fullmatch(DEFAULT_SIZE if given in {None, "auto"} else str(given))
    if found is None:
        return None
    width, height = int(found.group(1)), int(found.group(2))
    return (width, height) if 0 < min(width, height) <= max(width, height) <= LONGEST_EDGE else None


def _read(call: Call) -> Picture:
    body, inputs = call.body, _count_inputs(call)
    found = _find_size(body.get("size"))
    assert found is not None
    quality = body.get("quality")
    # A variation has no prompt: what it shows follows from the image that was sent.
    sent = next((file.describe()["sha256"] for file in call.files), "")
    return Picture(
        prompt=str(body.get("prompt") or sent),
        count=int(body.get("n") or 1),
        width=found[0],
        height=found[1],
        quality=quality if quality in TOKENS_BY_QUALITY else "medium",
        is_transparent=body.get("background") == "transparent",
        input_images=inputs + any(file.field == "mask" for file in call.files),
        is_gpt=_is_gpt(call),
    )


def _draw(picture: Picture, index: int | str) -> bytes:
    return draw_png(
        f"{picture.prompt}#{index}",
        picture.width,
        picture.height,
        is_transparent=picture.is_transparent,
    )


def _list_images(call: Call, picture: Picture, work: Work) -> list[dict[str, Any]]:
    as_base64 = picture.is_gpt or call.body.get("response_format") == "b64_json"
    images: list[dict[str, Any]] = []
    for index in range(picture.count):
        if as_base64:
            images.append({"b64_json": _in_base64(_draw(picture, index))})
        else:
            images.append({"url": f"{call.base_url}/files/{work.id}-{index}.png"})
    if not picture.is_gpt and work.kind == "image.generation":
        images = [{**image, "revised_prompt": picture.prompt} for image in images]
    return images


def _echo(picture: Picture) -> dict[str, Any]:
    return {
        "background": picture.background,
        "output_format": "png",
        "quality": picture.quality,
        "size": picture.size,
    }


def count_usage(call: Call, picture: Picture) -> dict[str, Any]:
    """Text as everywhere, 85 tokens per image sent, and the table above per image made."""
    text = tokens.count_text(picture.prompt)
    sent = tokens.TOKENS_PER_IMAGE * picture.input_images
    area = TOKENS_BY_QUALITY[picture.quality] * picture.width * picture.height
    made = -(-area // SQUARE) * picture.count
    fault = call.fault
    given = text + sent if fault.prompt_tokens is None else fault.prompt_tokens
    made = made if fault.completion_tokens is None else fault.completion_tokens
    return {
        "input_tokens": given,
        "input_tokens_details": {"text_tokens": given - sent, "image_tokens": sent},
        "output_tokens": made,
        "output_tokens_details": {"image_tokens": made, "text_tokens": 0},
        "total_tokens": given + made,
    }


def _in_chat_words(usage: dict[str, Any] | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
    }


def _stream(
    call: Call, action: str, picture: Picture, usage: dict[str, Any] | None
) -> Iterator[Event]:
    """Up to three partial images, then the whole one; several images are not streamed."""
    name = "image_edit" if action == "edit" else "image_generation"
    shared = {"created_at": CREATED, **_echo(picture)}
    partial = min(int(call.body.get("partial_images") or 0), MOST_PARTIAL_IMAGES)
    for index in range(partial):
        kind = f"{name}.partial_image"
        drawn = _in_base64(_draw(picture, f"partial{index}"))
        body = {"type": kind, "b64_json": drawn, "partial_image_index": index, **shared}
        yield Event(Kind.CONTENT, encode(body), kind)
    kind = f"{name}.completed"
    body = {"type": kind, "b64_json": _in_base64(_draw(picture, 0)), **shared, "usage": usage}
    yield Event(Kind.FINISH, encode(body), kind, 1, reports_usage=True)


def _in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
