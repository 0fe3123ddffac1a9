"""Pictures, sounds and films are real files of the asked size and length."""

import io
import struct
import wave
import zlib

import pytest

from tests.upstream.clips import film_mp4
from tests.upstream.pictures import draw_png
from tests.upstream.sounds import (
    CONTENT_TYPES,
    MP3_FRAME,
    RATE,
    UnreadableSoundError,
    make_wav,
    measure_seconds,
    speak,
    speech_seconds,
)


def png_chunks(data: bytes) -> dict[bytes, bytes]:
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        assert checksum == zlib.crc32(name + body)
        chunks[name] = body
        at += 12 + length
    return chunks


@pytest.mark.parametrize("size", [(1024, 1024), (1536, 864), (1, 1), (3840, 2160)])
def test_a_png_has_all_its_pixels(size: tuple[int, int]) -> None:
    width, height = size
    chunks = png_chunks(draw_png("a cat#0", width, height))
    assert struct.unpack_from(">II", chunks[b"IHDR"]) == size
    pixels = zlib.decompress(chunks[b"IDAT"])
    assert len(pixels) == height * (width + 1)
    assert set(pixels[:: width + 1]) == {0}
    assert set(pixels) <= set(range(4))


def test_a_png_follows_from_its_seed() -> None:
    assert draw_png("a#0", 64, 64) == draw_png("a#0", 64, 64)
    assert draw_png("a#0", 64, 64) != draw_png("a#1", 64, 64)
    assert b"tRNS" in draw_png("a", 8, 8, is_transparent=True)


@pytest.mark.parametrize("text", ["a", "hello there", "x" * 4096, "äöü"])
def test_wav_pcm_and_mp3_last_equally_long(text: str) -> None:
    wav, pcm, mp3 = (speak(text, kind) for kind in ("wav", "pcm", "mp3"))
    with wave.open(io.BytesIO(wav)) as sound:
        assert sound.getframerate() == RATE
        assert sound.readframes(sound.getnframes()) == pcm
    assert measure_seconds(wav) == pytest.approx(speech_seconds(text))
    assert len(pcm) / RATE / 2 == pytest.approx(speech_seconds(text))
    assert measure_seconds(mp3) == pytest.approx(speech_seconds(text))
    assert mp3 == MP3_FRAME * (2 * len(text))


def test_aac_frames_say_their_own_length() -> None:
    data, at, frames = speak("hello there", "aac"), 0, 0
    while at < len(data):
        assert data[at] == 0xFF
        at += (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames += 1
    assert at == len(data)
    assert frames * 1024 / RATE == pytest.approx(speech_seconds("hello there"), abs=0.05)


def test_every_format_has_its_beginning() -> None:
    begins = {kind: speak("hello", kind)[:4] for kind in CONTENT_TYPES if kind != "pcm"}
    assert begins["wav"] == b"RIFF"
    assert begins["flac"] == b"fLaC"
    assert begins["opus"] == b"OggS"


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFFxxxxWAVE", make_wav(b"")[:30]])
def test_what_is_no_sound_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableSoundError):
        measure_seconds(data)


def test_a_film_is_made_of_boxes() -> None:
    data, at, names = film_mp4("a cat", 4), 0, []
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        names.append(data[at + 4 : at + 8])
        at += length
    assert (names, at) == ([b"ftyp", b"moov", b"mdat"], len(data))
    start = data.index(b"mvhd") + 4
    assert struct.unpack_from(">II", data, start + 12) == (1000, 4000)
    assert data != film_mp4("a dog", 4)
