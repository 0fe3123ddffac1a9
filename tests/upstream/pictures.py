"""Real PNG pictures of any size, made of nothing but a seed."""

import hashlib
import struct
import zlib
from functools import lru_cache

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TILES = 8
COLOURS = 4
INDEXED = 3


@lru_cache(maxsize=512)
def draw_png(seed: str, width: int, height: int, *, is_transparent: bool = False) -> bytes:
    """Tiles in four colours, mirrored left to right; the first colour may be see-through."""
    noise = hashlib.shake_256(seed.encode("utf-8", "replace")).digest(3 * COLOURS + TILES * TILES)
    palette, tiles = noise[: 3 * COLOURS], noise[3 * COLOURS :]
    rows = [_draw_row(tiles[start : start + TILES], width) for start in range(0, TILES**2, TILES)]
    # Few different rows compress well and fast, however large the picture is.
    pixels = b"".join(rows[y * TILES // height] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, INDEXED, 0, 0, 0)
    return b"".join(
        (
            SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette),
            _chunk(b"tRNS", b"\0") if is_transparent else b"",
            _chunk(b"IDAT", zlib.compress(pixels, 1)),
            _chunk(b"IEND", b""),
        )
    )


def _draw_row(tiles: bytes, width: int) -> bytes:
    row = bytearray(b"\0")
    for x in range(width):
        column = x * TILES // width
        row.append(tiles[min(column, TILES - 1 - column)] % COLOURS)
    return bytes(row)


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)
