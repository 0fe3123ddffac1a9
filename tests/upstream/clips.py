"""Small MP4 files: right boxes and duration, no picture in them."""

import hashlib
import struct
from functools import lru_cache

MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
FRAME_BYTES = 2_048


@lru_cache(maxsize=256)
def film_mp4(seed: str, seconds: int) -> bytes:
    milliseconds = seconds * 1000
    header = struct.pack(">IIIII", 0, 0, 0, 1000, milliseconds)
    header += struct.pack(">IHHII", 0x10000, 0x100, 0, 0, 0) + MATRIX + bytes(24)
    header += struct.pack(">I", 1)
    media = hashlib.shake_256(seed.encode("utf-8", "replace")).digest(FRAME_BYTES * seconds)
    kinds = b"isom" + struct.pack(">I", 512) + b"isomiso2mp41"
    return _box(b"ftyp", kinds) + _box(b"moov", _box(b"mvhd", header)) + _box(b"mdat", media)


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + name + data
