"""What all Midjourney-proxy routes share: keys, codes, errors."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import msgspec

from tests.upstream.openai_shapes import find_key as find_bearer
from tests.upstream.reply import Call, Event, Kind, Reply, Vendor
from tests.upstream.works import Work

encode = msgspec.json.encode


class Code(IntEnum):
    SUCCESS = 1
    NOT_FOUND = 3
    VALIDATION_ERROR = 4
    FAILURE = 9
    EXISTED = 21
    IN_QUEUE = 22
    QUEUE_REJECTED = 23
    BANNED_PROMPT = 24


REFUSALS = {
    "banned": (Code.BANNED_PROMPT, "The prompt may contain banned words"),
    "full": (Code.QUEUE_REJECTED, "The queue is full, please try again later"),
    "noaccount": (Code.NOT_FOUND, "No account instance is available"),
    "invalid": (Code.VALIDATION_ERROR, "The request is invalid"),
}
# HTTP statuses of causes that are no code of a submit.
STATUS = {
    "no_key": 401,
    "bad_key": 401,
    "bad_json": 400,
    "no_model": 400,
    "no_route": 404,
    "policy": 400,
    "ctx": 400,
    "quota": 429,
}


def answer_code(
    code: Code,
    description: str,
    result: object = None,
    properties: dict[str, Any] | None = None,
    *,
    work: Work | None = None,
) -> Reply:
    body = {
        "code": code,
        "description": description,
        "result": result,
        "properties": properties or {},
    }
    return Reply(encode(body), work=work, is_answer=code in {1, 21, 22})


def not_found(what: str = "The task") -> Reply:
    return answer_code(Code.NOT_FOUND, f"{what} does not exist")


def invalid(description: str) -> Reply:
    return answer_code(Code.VALIDATION_ERROR, description)


def fail(call: Call, cause: int | str) -> Reply:
    if cause in REFUSALS:
        code, description = REFUSALS[str(cause)]
        properties = {}
        if code is Code.BANNED_PROMPT:
            prompt = str(call.body.get("prompt") or "")
            properties = {"promptEn": prompt, "bannedWord": (prompt.split() or ["?"])[0]}
        return answer_code(code, description, properties=properties)
    status = STATUS[cause] if isinstance(cause, str) else cause
    body = {"code": Code.FAILURE, "description": str(cause), "result": None, "properties": {}}
    return Reply(encode(body), status=status)


def find_key(headers: Mapping[str, str]) -> str | None:
    return headers.get("mj-api-secret") or find_bearer(headers)


def error_event(call: Call) -> Event:
    return Event(Kind.ERROR, fail(call, 500).body)


MIDJOURNEY = Vendor("midjourney", find_key, fail, error_event)
