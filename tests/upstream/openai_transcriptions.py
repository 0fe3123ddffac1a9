"""POST /audio/transcriptions and /audio/translations: a part of text per ten seconds of sound."""

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.upstream import tokens
from tests.upstream.openai_shapes import answer_headers, encode, error_reply, missing
from tests.upstream.reply import EVENT_STREAM, Call, Event, Kind, Reply
from tests.upstream.sounds import UnreadableSoundError, measure_seconds
from tests.upstream.text import split_words
from tests.upstream.works import Order

SEGMENT_SECONDS = 10
TOKENS_PER_SECOND = 10
FORMATS = ("json", "text", "verbose_json", "srt", "vtt")
NEW_FORMATS = ("json", "text")
SUFFIXES = ("flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm")
TRUE = ("true", "1")


@dataclass(frozen=True, slots=True)
class Transcript:
    task: str
    language: str
    seconds: float
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.parts)

    def spans(self) -> Iterator[tuple[float, float, str]]:
        for index, part in enumerate(self.parts):
            start = index * SEGMENT_SECONDS
            yield float(start), min(float(start + SEGMENT_SECONDS), self.seconds), part


def transcribe(call: Call) -> Reply:
    return _listen(call, "transcribe")


def translate(call: Call) -> Reply:
    return _listen(call, "translate")


def _listen(call: Call, task: str) -> Reply:
    file = next((file for file in call.files if file.field == "file"), None)
    if file is None:
        return missing("file")
    kind = call.body.get("response_format") or "json"
    if (refusal := _refuse(call, file.name, kind)) is not None:
        return refusal
    try:
        seconds = measure_seconds(file.data)
    except UnreadableSoundError:
        text = "The audio file could not be decoded or its format is not supported."
        return error_reply(400, text, "invalid_request_error", "file", "invalid_value")
    count = max(1, math.ceil(seconds / SEGMENT_SECONDS))
    parts = tuple(f"This is part {index + 1} of {file.name}." for index in range(count))
    language = "english" if task == "translate" else call.body.get("language") or "english"
    transcript = Transcript(task, language, seconds, parts)
    name = "translation" if task == "translate" else "transcription"
    order = Order(f"audio.{name}", f"audio_{secrets.token_hex(12)}", file.name, round(seconds, 3))
    return _answer(call, transcript, kind, order)


def _refuse(call: Call, name: str, kind: str) -> Reply | None:
    if name.rpartition(".")[2].lower() not in SUFFIXES:
        text = f"Invalid file format. Supported formats: {list(SUFFIXES)}"
        return error_reply(400, text, "invalid_request_error", "file")
    formats = FORMATS if _bills_seconds(call) else NEW_FORMATS
    if kind not in formats:
        text = f"response_format '{kind}' is not compatible with model '{call.model}'."
        return error_reply(
            400, text, "invalid_request_error", "response_format", "unsupported_value"
        )
    return None


def _bills_seconds(call: Call) -> bool:
    """Whisper is billed by time and has all formats; newer models by tokens."""
    return "gpt-4o" not in call.model and "gpt-transcribe" not in call.model


def _answer(call: Call, transcript: Transcript, kind: str, order: Order) -> Reply:
    work = call.accept(order)
    usage = _usage(call, transcript)
    if call.body.get("stream") in TRUE and not _bills_seconds(call):
        events = list(_stream(transcript, usage))
        content_type = EVENT_STREAM
        body = b""
    else:
        events, content_type = None, "text/plain; charset=utf-8"
        if kind in {"json", "verbose_json"}:
            content_type = "application/json"
        body = _render(call, transcript, kind, usage)
    return Reply(
        body,
        events,
        content_type=content_type,
        headers=answer_headers(call),
        usage=_in_chat_words(usage),
        work=work,
        awaits_work=True,
    )


def _render(call: Call, transcript: Transcript, kind: str, usage: dict[str, Any]) -> bytes:
    if kind == "text":
        return f"{transcript.text}\n".encode()
    if kind in {"srt", "vtt"}:
        return _subtitles(transcript, kind).encode()
    body: dict[str, Any] = {"text": transcript.text}
    if kind == "verbose_json":
        body = _verbose(call, transcript)
    if "nousage" not in call.fault.flags:
        body["usage"] = usage
    return encode(body)


def _usage(call: Call, transcript: Transcript) -> dict[str, Any]:
    if _bills_seconds(call):
        return {"type": "duration", "seconds": math.ceil(transcript.seconds)}
    text = tokens.count_text(str(call.body.get("prompt") or ""))
    heard = math.ceil(transcript.seconds * TOKENS_PER_SECOND)
    fault = call.fault
    given = text + heard if fault.prompt_tokens is None else fault.prompt_tokens
    made = tokens.count_text(transcript.text)
    made = made if fault.completion_tokens is None else fault.completion_tokens
    return {
        "type": "tokens",
        "input_tokens": given,
        "input_token_details": {"text_tokens": text, "audio_tokens": given - text},
        "output_tokens": made,
        "total_tokens": given + made,
    }


def _in_chat_words(usage: dict[str, Any]) -> dict[str, Any] | None:
    if usage["type"] == "duration":
        return None
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
    }


def _verbose(call: Call, transcript: Transcript) -> dict[str, Any]:
    body = {
        "task": transcript.task,
        "language": transcript.language,
        "duration": transcript.seconds,
        "text": transcript.text,
        "segments": [_segment(index, *span) for index, span in enumerate(transcript.spans())],
    }
    if "word" in (call.body.get("timestamp_granularities[]") or ()):
        body["words"] = [
            word for start, end, part in transcript.spans() for word in _words(start, end, part)
        ]
    return body


def _segment(index: int, start: float, end: float, text: str) -> dict[str, Any]:
    return {
        "id": index,
        "seek": 0,
        "start": start,
        "end": end,
        "text": f" {text}",
        "tokens": list(range(tokens.count_text(text))),
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.01,
    }


def _words(start: float, end: float, text: str) -> Iterator[dict[str, Any]]:
    words = text.split()
    each = (end - start) / len(words)
    for index, word in enumerate(words):
        begin = start + index * each
        yield {"word": word.strip("."), "start": round(begin, 3), "end": round(begin + each, 3)}


def _subtitles(transcript: Transcript, kind: str) -> str:
    mark = "," if kind == "srt" else "."
    blocks = [] if kind == "srt" else ["WEBVTT"]
    for index, (start, end, text) in enumerate(transcript.spans()):
        number = f"{index + 1}\n" if kind == "srt" else ""
        blocks.append(f"{number}{_clock(start, mark)} --> {_clock(end, mark)}\n{text}")
    return "\n\n".join(blocks) + "\n\n"


def _clock(seconds: float, mark: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{mark}{milliseconds % 1000:03}"


def _stream(transcript: Transcript, usage: dict[str, Any]) -> Iterator[Event]:
    for word in split_words(transcript.text):
        body = {"type": "transcript.text.delta", "delta": word}
        yield Event(Kind.CONTENT, encode(body), body["type"], 1)
    done = {"type": "transcript.text.done", "text": transcript.text, "usage": usage}
    yield Event(Kind.FINISH, encode(done), "transcript.text.done", reports_usage=True)
