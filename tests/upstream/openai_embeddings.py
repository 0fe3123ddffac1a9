"""POST /embeddings: unit vectors that depend on nothing but the input and the dimensions."""

import base64
import hashlib
import math
import sys
from array import array
from functools import lru_cache
from typing import Any

from tests.upstream import tokens
from tests.upstream.openai_shapes import answer_headers, encode, error_reply, missing
from tests.upstream.reply import Call, Reply

DEFAULT_DIMENSIONS = 1536
LARGE_DIMENSIONS = 3072
MOST_DIMENSIONS = 4096


def answer(call: Call) -> Reply:
    inputs = _inputs(call.body.get("input"))
    if not inputs:
        return missing("input")
    dimensions = call.body.get("dimensions") or _default_dimensions(call.model)
    if not isinstance(dimensions, int) or not 0 < dimensions <= MOST_DIMENSIONS:
        return error_reply(400, "Invalid dimensions.", "invalid_request_error", "dimensions")
    as_base64 = call.body.get("encoding_format") == "base64"
    data = [_item(index, item, dimensions, as_base64) for index, item in enumerate(inputs)]
    usage = _usage(call, inputs)
    body = {"object": "list", "data": data, "model": call.model, "usage": usage}
    if "nousage" in call.fault.flags:
        del body["usage"]
    return Reply(encode(body), headers=answer_headers(call), usage=usage)


@lru_cache(maxsize=4096)
def vector(item: str | tuple[int, ...], dimensions: int) -> "array[float]":
    """Single precision, so that both encodings say exactly the same."""
    seed = item if isinstance(item, str) else ",".join(map(str, item))
    noise = array("h", hashlib.shake_256(seed.encode()).digest(dimensions * 2))
    if sys.byteorder == "big":
        noise.byteswap()
    length = math.sqrt(sum(number * number for number in noise)) or 1.0
    return array("f", [number / length for number in noise])


def _inputs(given: object) -> list[str | tuple[int, ...]]:
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        return []
    if isinstance(given[0], int):
        return [tuple(given)]
    return [tuple(item) if isinstance(item, list) else str(item) for item in given]


def _default_dimensions(model: str) -> int:
    return LARGE_DIMENSIONS if "embedding-3-large" in model else DEFAULT_DIMENSIONS


def _item(
    index: int,
    item: str | tuple[int, ...],
    dimensions: int,
    as_base64: bool,  # noqa: FBT001
) -> dict[str, Any]:
    numbers = vector(item, dimensions)
    if not as_base64:
        return {"object": "embedding", "index": index, "embedding": numbers.tolist()}
    wire = array("f", numbers)
    if sys.byteorder == "big":
        wire.byteswap()
    text = base64.b64encode(wire.tobytes()).decode()
    return {"object": "embedding", "index": index, "embedding": text}


def _usage(call: Call, inputs: list[str | tuple[int, ...]]) -> dict[str, Any]:
    counted = sum(
        tokens.count_text(item) if isinstance(item, str) else len(item) for item in inputs
    )
    prompt = counted if call.fault.prompt_tokens is None else call.fault.prompt_tokens
    return {"prompt_tokens": prompt, "total_tokens": prompt}
