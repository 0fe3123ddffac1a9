"""Real sound of a known length: a tone as WAV and PCM, silence as MP3 and AAC.

Everything is mono with 24 000 samples a second. A character of text takes 48 ms, which is two MP3
frames, so that every format lasts equally long. FLAC and Opus are only named so: their beginning
is right and their size grows with the length, but nobody can play them.
"""

import hashlib
import io
import math
import struct
import wave
from array import array
from functools import lru_cache

RATE = 24_000
MS_PER_CHARACTER = 48
BYTES_PER_SAMPLE = 2
# MPEG-2 layer III, 64 kbit/s, mono: 576 samples, of which silence is all zeros.
MP3_FRAME = b"\xff\xf3\x84\xc4".ljust(192, b"\0")
MP3_FRAME_SAMPLES = 576
AAC_SILENCE = bytes.fromhex("00c800802380")
AAC_FRAME_SAMPLES = 1024
OPUS_BYTES_PER_SECOND = 4_000
FLAC_BYTES_PER_SECOND = 12_000

CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


class UnreadableSoundError(ValueError):
    """An upload that is no sound."""


def speech_seconds(text: str) -> float:
    return len(text) * MS_PER_CHARACTER / 1000


@lru_cache(maxsize=16)
def speak(text: str, kind: str) -> bytes:
    seconds = speech_seconds(text)
    samples = round(seconds * RATE)
    if kind == "mp3":
        return MP3_FRAME * math.ceil(samples / MP3_FRAME_SAMPLES)
    if kind == "aac":
        return _aac_frame() * math.ceil(samples / AAC_FRAME_SAMPLES)
    if kind == "opus":
        return b"OggS" + bytes(round(seconds * OPUS_BYTES_PER_SECOND))
    if kind == "flac":
        return b"fLaC" + bytes(round(seconds * FLAC_BYTES_PER_SECOND))
    pcm = _tone(text, samples)
    return pcm if kind == "pcm" else make_wav(pcm)


def make_wav(pcm: bytes, rate: int = RATE) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(BYTES_PER_SAMPLE)
        sound.setframerate(rate)
        sound.writeframes(pcm)
    return out.getvalue()


def measure_seconds(data: bytes) -> float:
    """Exact for WAV and for our own MP3; what else may be sound is taken for 64 kbit/s."""
    if data[:4] == b"RIFF":
        return _measure_wav(data)
    if not data:
        raise UnreadableSoundError("it is empty")
    return len(data) / len(MP3_FRAME) * MP3_FRAME_SAMPLES / RATE


def _measure_wav(data: bytes) -> float:
    try:
        with wave.open(io.BytesIO(data)) as sound:
            frames: int = sound.getnframes()
            return frames / int(sound.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError) as error:
        raise UnreadableSoundError(str(error)) from error


def _tone(text: str, samples: int) -> bytes:
    """Second for second the same, at a pitch that depends on the text."""
    pitch = 220 + hashlib.sha256(text.encode("utf-8", "replace")).digest()[0]
    second = _second(pitch)
    whole, rest = divmod(samples, RATE)
    return second * whole + second[: rest * BYTES_PER_SAMPLE]


@lru_cache(maxsize=256)
def _second(pitch: int) -> bytes:
    wave_length = [math.sin(2 * math.pi * pitch * at / RATE) for at in range(RATE)]
    numbers = array("h", [round(8_000 * height) for height in wave_length])
    return struct.pack(f"<{RATE}h", *numbers)


def _aac_frame() -> bytes:
    """ADTS, AAC-LC, 24 kHz, mono."""
    length = 7 + len(AAC_SILENCE)
    return (
        bytes((0xFF, 0xF1, 0x58, 0x40 | length >> 11, length >> 3 & 0xFF))
        + bytes(((length & 7) << 5 | 0x1F, 0xFC))
        + AAC_SILENCE
    )
