"""What all of Anthropic's routes share: keys, errors, headers, usage, signatures."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from tests.upstream.anthropic_errors import INVALID, find_words
from tests.upstream.reply import Call, Event, Kind, Reply, Vendor

encode = msgspec.json.encode


def invalid(call: Call, message: str) -> Reply:
    return _error_reply(call, 400, INVALID, message)


def fail(call: Call, cause: int | str) -> Reply:
    words = find_words(cause)
    retry_after = call.fault.retry_after or 20
    message = words.message.format(model=call.model, retry_after=retry_after)
    return _error_reply(call, words.status, words.kind, message)


def error_event(call: Call) -> Event:
    return Event(Kind.ERROR, fail(call, 529).body, "error")


def find_key(headers: Mapping[str, str]) -> str | None:
    if key := headers.get("x-api-key", "").strip():
        return key
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def answer_headers(call: Call) -> dict[str, str]:
    return {"request-id": _request_id(call), "anthropic-organization-id": "org-demo"}


def sign(thought: str) -> str:
    """Opaque to everybody else; the same for the same thought."""
    digest = hashlib.sha512(f"sluice-demo:{thought}".encode()).digest()
    return base64.b64encode(digest).decode()


def build_usage(call: Call, prompt_tokens: int, output_tokens: int) -> dict[str, Any]:
    """What is reported: the counts, unless the fault says otherwise."""
    fault = call.fault
    prompt = prompt_tokens if fault.prompt_tokens is None else fault.prompt_tokens
    read, written = fault.cached_tokens or 0, fault.cache_write_tokens or 0
    output = output_tokens if fault.completion_tokens is None else fault.completion_tokens
    return {
        "input_tokens": max(0, prompt - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": output,
    }


def journal_usage(usage: Mapping[str, int], thinking_tokens: int) -> dict[str, Any]:
    """The same numbers in the words of the journal."""
    written, read = usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]
    prompt = usage["input_tokens"] + written + read
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage["output_tokens"],
        "total_tokens": prompt + usage["output_tokens"],
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": thinking_tokens},
    }


def _error_reply(call: Call, status: int, kind: str, message: str) -> Reply:
    error = {"type": kind, "message": message}
    body = {"type": "error", "error": error, "request_id": _request_id(call)}
    return Reply(encode(body), status=status, headers=answer_headers(call))


def _request_id(call: Call) -> str:
    return f"req_sim{call.seq:012d}"


ANTHROPIC = Vendor("anthropic", find_key, fail, error_event)
