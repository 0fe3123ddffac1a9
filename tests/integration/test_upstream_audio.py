"""The simulator's speech and transcriptions, asked by OpenAI's own client."""

import base64
import io
import json
import time
import wave
from collections.abc import Iterator
from typing import Literal

import httpx
import openai
import pytest

from tests.upstream.asking import KEY, only_entry
from tests.upstream.client import Simulator
from tests.upstream.sounds import MP3_FRAME, make_wav, speech_seconds


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


@pytest.fixture
def upstream(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture
def client(upstream: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.openai_url, api_key="sk-test", max_retries=0) as client:
        yield client


def sound_of(seconds: float) -> bytes:
    return make_wav(bytes(round(seconds * 8_000) * 2), 8_000)


@pytest.mark.parametrize("kind", ["wav", "pcm", "mp3", "opus", "flac", "aac"])
def test_speech(
    client: openai.OpenAI,
    upstream: Simulator,
    kind: Literal["wav", "pcm", "mp3", "opus", "flac", "aac"],
) -> None:
    text = "Hello there, world."
    answer = client.audio.speech.create(
        model="demo-tts", voice="alloy", input=text, response_format=kind
    )
    assert answer.response.headers["content-type"].startswith("audio/")
    sound = answer.content
    if kind == "wav":
        with wave.open(io.BytesIO(sound)) as opened:
            seconds = opened.getnframes() / opened.getframerate()
        assert seconds == pytest.approx(speech_seconds(text))
    if kind == "mp3":
        assert sound == MP3_FRAME * 2 * len(text)
    entry = only_entry(upstream)
    assert (entry["completed"], entry["bytes_written"]) == (True, len(sound))
    assert upstream.works()[0]["units"] == len(text)


def test_speech_comes_chunk_by_chunk(client: openai.OpenAI, upstream: Simulator) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="demo-tts-s1000-gateg.2", voice="alloy", input="hello", response_format="pcm"
    ) as response:
        chunks = response.iter_bytes(1000)
        first = next(chunks) + next(chunks)
        upstream.gate("g", waiting=1)
        upstream.open_gate("g")
        rest = b"".join(chunks)
    assert len(first) == 2000
    assert len(first + rest) == 5 * 48 * 24 * 2
    assert only_entry(upstream)["events_written"] == 12


def test_speech_takes_its_time(client: openai.OpenAI) -> None:
    arrivals: list[float] = []
    with client.audio.speech.with_streaming_response.create(
        model="demo-tts-s4000-d40", voice="alloy", input="hello", response_format="pcm"
    ) as response:
        arrivals.extend(time.monotonic() for _ in response.iter_bytes(4000))
    assert len(arrivals) == 3
    assert arrivals[-1] - arrivals[0] > 0.06


def test_speech_that_breaks(client: openai.OpenAI, upstream: Simulator) -> None:
    with (
        pytest.raises(httpx.TransportError),
        httpx.Client(trust_env=False) as http,
        http.stream(
            "POST",
            f"{upstream.openai_url}/audio/speech",
            json={"model": "demo-s100-k2", "input": "hello", "voice": "x"},
            headers=KEY,
        ) as response,
    ):
        response.read()
    assert not only_entry(upstream)["completed"]


def test_speech_as_events(upstream: Simulator) -> None:
    body = {"model": "m", "input": "hello", "voice": "x", "stream_format": "sse"}
    url = f"{upstream.openai_url}/audio/speech"
    answer = httpx.post(url, json=body, headers=KEY, trust_env=False)
    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    sound = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert sound == MP3_FRAME * 10
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"] == {"input_tokens": 2, "output_tokens": 5, "total_tokens": 7}


def test_transcription_formats(client: openai.OpenAI, upstream: Simulator) -> None:
    file = ("talk.wav", sound_of(12.5))
    create = client.audio.transcriptions.create
    plain = create(model="whisper-1", file=file)
    assert plain.text == "This is part 1 of talk.wav. This is part 2 of talk.wav."
    verbose = create(
        model="whisper-1",
        file=file,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert verbose.duration == 12.5
    spans = [(part.start, part.end) for part in verbose.segments or []]
    assert spans == [(0, 10), (10, 12.5)]
    assert len(verbose.words or []) == 12
    assert verbose.usage
    assert verbose.usage.seconds == 13
    text = create(model="whisper-1", file=file, response_format="text")
    assert text == f"{plain.text}\n"
    srt = create(model="whisper-1", file=file, response_format="srt")
    assert srt.startswith("1\n00:00:00,000 --> 00:00:10,000\nThis is part 1 of talk.wav.\n\n2\n")
    vtt = create(model="whisper-1", file=file, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:10.000\nThis is part 1")
    assert [work["units"] for work in upstream.works(kind="audio.transcription")] == [12.5] * 5


def test_new_transcriptions_report_tokens_and_stream(client: openai.OpenAI) -> None:
    file = ("talk.wav", sound_of(3))
    plain = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=file)
    assert plain.usage
    assert plain.usage.type == "tokens"
    assert plain.usage.input_tokens == 30
    stream = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=file, stream=True)
    events = list(stream)
    said = "".join(event.delta for event in events if event.type == "transcript.text.delta")
    assert said == plain.text
    assert events[-1].type == "transcript.text.done"


@pytest.mark.filterwarnings("ignore:deprecated")
def test_translations(client: openai.OpenAI, upstream: Simulator) -> None:
    verbose = client.audio.translations.create(
        model="whisper-1", file=("talk.wav", sound_of(0.4)), response_format="verbose_json"
    )
    assert (verbose.duration, verbose.language) == (0.4, "english")
    assert upstream.works()[0]["kind"] == "audio.translation"


@pytest.mark.parametrize(
    ("model", "file", "kind"),
    [
        ("whisper-1", ("a.txt", b"1"), "json"),
        ("whisper-1", ("a.wav", b""), "json"),
        ("whisper-1", ("a.wav", b"RIFFxxxx"), "json"),
        ("gpt-4o-transcribe", ("a.wav", sound_of(1)), "srt"),
    ],
)
def test_refused_transcriptions(
    upstream: Simulator, model: str, file: tuple[str, bytes], kind: str
) -> None:
    url = f"{upstream.openai_url}/audio/transcriptions"
    data = {"model": model, "response_format": kind}
    answer = httpx.post(url, data=data, files={"file": file}, headers=KEY, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert upstream.works() == []


def test_a_cut_form_is_refused(upstream: Simulator) -> None:
    url = f"{upstream.openai_url}/audio/transcriptions"
    headers = {**KEY, "Content-Type": "multipart/form-data; boundary=x"}
    answer = httpx.post(url, content=b"--x\r\nno", headers=headers, trust_env=False)
    assert answer.status_code == 400
