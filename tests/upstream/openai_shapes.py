"""What all of OpenAI's routes share: keys, errors, headers, usage."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tests.upstream.openai_errors import BY_CAUSE, BY_STATUS, Words
from tests.upstream.reply import Call, Event, Kind, Reply, Vendor

CREATED = 1_750_000_000
FINGERPRINT = "fp_sluicedemo1"

encode = msgspec.json.encode


def error_reply(
    status: int, message: str, kind: str, param: str | None = None, code: str | None = None
) -> Reply:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Reply(encode({"error": error}), status=status)


def missing(param: str) -> Reply:
    return error_reply(
        400,
        f"Missing required parameter: '{param}'.",
        "invalid_request_error",
        param,
        "missing_required_parameter",
    )


def fail(call: Call, cause: int | str) -> Reply:
    if cause in {401, "bad_key"}:
        return _bad_key(find_key(call.headers) or "")
    if isinstance(cause, str):
        words = BY_CAUSE[cause]
    else:
        kind = "server_error" if cause >= 500 else "invalid_request_error"
        words = BY_STATUS.get(cause) or Words(f"Error {cause}.", kind, status=cause)
    retry_after = call.fault.retry_after or 20
    text = words.message.format(model=call.model, path=call.path, retry_after=retry_after)
    return error_reply(words.status, text, words.kind, words.param, words.code)


def error_event(call: Call) -> Event:
    return Event(Kind.ERROR, fail(call, 500).body)


def find_key(headers: Mapping[str, str]) -> str | None:
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("api-key")


def answer_headers(call: Call) -> dict[str, str]:
    return {
        "x-request-id": f"req_sim{call.seq:012d}",
        "openai-organization": "org-demo",
        "openai-processing-ms": "1",
        "openai-version": "2020-10-01",
    }


def build_usage(
    call: Call, prompt_tokens: int, completion_tokens: int, reasoning_tokens: int = 0
) -> dict[str, Any]:
    """What is reported: the counts, unless the fault says otherwise."""
    fault = call.fault
    prompt = prompt_tokens if fault.prompt_tokens is None else fault.prompt_tokens
    completion = completion_tokens
    if fault.completion_tokens is not None:
        completion = fault.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": fault.cached_tokens or 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _bad_key(key: str) -> Reply:
    shown = key if len(key) < 12 else f"{key[:8]}{'*' * 8}{key[-4:]}"
    return error_reply(
        401,
        f"Incorrect API key provided: {shown}. You can find your API key at"
        " https://platform.openai.com/account/api-keys.",
        "invalid_request_error",
        None,
        "invalid_api_key",
    )


OPENAI = Vendor("openai", find_key, fail, error_event)
