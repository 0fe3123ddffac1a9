"""POST /audio/speech: sound of a known length, sent chunk by chunk."""

import base64
import secrets
from collections.abc import Iterator

from tests.upstream import tokens
from tests.upstream.openai_shapes import answer_headers, encode, error_reply, missing
from tests.upstream.reply import EVENT_STREAM, Call, Event, Kind, Reply
from tests.upstream.sounds import CONTENT_TYPES, MS_PER_CHARACTER, speak
from tests.upstream.works import Order

MOST_CHARACTERS = 4096
DEFAULT_CHUNK_BYTES = 8_192
TOKENS_PER_SECOND = 20


def answer(call: Call) -> Reply:
    text, kind = call.body.get("input"), call.body.get("response_format") or "mp3"
    if (refusal := _refuse(call, text, kind)) is not None:
        return refusal
    sound = speak(text, kind)
    work = call.accept(
        Order("audio.speech", f"speech_{secrets.token_hex(12)}", text, len(text.encode()))
    )
    size = call.fault.piece_bytes or DEFAULT_CHUNK_BYTES
    chunks = [sound[start : start + size] for start in range(0, len(sound), size)]
    headers = answer_headers(call)
    if call.body.get("stream_format") == "sse":
        return Reply(
            events=list(_stream(text, chunks)),
            content_type=EVENT_STREAM,
            headers=headers,
            work=work,
            awaits_work=True,
        )
    kinds = [*[Kind.CONTENT] * (len(chunks) - 1), Kind.FINISH]
    return Reply(
        events=[Event(kind, chunk, pieces=1) for kind, chunk in zip(kinds, chunks, strict=True)],
        content_type=CONTENT_TYPES[kind],
        headers=headers,
        is_raw=True,
        work=work,
        awaits_work=True,
    )


def _refuse(call: Call, text: object, kind: str) -> Reply | None:
    for name in ("input", "voice"):
        if not call.body.get(name):
            return missing(name)
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        message = f"Invalid 'input': expected a string of at most {MOST_CHARACTERS} characters."
        return error_reply(
            400, message, "invalid_request_error", "input", "string_above_max_length"
        )
    if kind not in CONTENT_TYPES:
        message = f"Invalid value: '{kind}'. Supported values are: {', '.join(CONTENT_TYPES)}."
        return error_reply(
            400, message, "invalid_request_error", "response_format", "invalid_value"
        )
    return None


def _stream(text: str, chunks: list[bytes]) -> Iterator[Event]:
    for chunk in chunks:
        body = {"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode()}
        yield Event(Kind.CONTENT, encode(body), body["type"], 1)
    given = tokens.count_text(text)
    made = -(-len(text) * MS_PER_CHARACTER * TOKENS_PER_SECOND // 1000)
    usage = {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}
    done = {"type": "speech.audio.done", "usage": usage}
    yield Event(Kind.FINISH, encode(done), "speech.audio.done", reports_usage=True)
