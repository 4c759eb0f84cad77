"""Bitmaps (BMP and Netpbm) and what Pillow reads in them: data/bitmaps.json, read by src/data/bitmap.test.ts.

    pip install pillow==13.0.0
    python3 tools/golden/bitmaps.py
"""

import base64
import io
import json
import struct
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 5, 3  # rows of neither whole words nor whole bytes


def values(count, most, step=37):
    return [(7 + i * step) % (most + 1) for i in range(count)]


def bmp(bits, rows, palette=b"", masks=(), top_down=False, core=False):
    """A BMP of rows of packed bytes, the top one first."""
    padded = [row + bytes(-len(row) % 4) for row in rows]
    pixels = b"".join(padded if top_down else reversed(padded))
    height = -HEIGHT if top_down else HEIGHT
    if core:
        header = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)
    else:
        compression = 3 if masks else 0
        size = {0: 40, 3: 40, 4: 108}[len(masks)]
        header = struct.pack("<IiiHHIIiiII", size, WIDTH, height, 1, bits, compression, len(pixels), 0, 0, 0, 0)
        header += b"".join(struct.pack("<I", mask) for mask in masks)
        header += bytes(max(0, size - len(header)))
    at = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", at + len(pixels), 0, 0, at) + header + palette + pixels


def packed(numbers, bits):
    """Numbers of 1, 4 or 8 bits, the first in the highest."""
    text = "".join(format(n, f"0{bits}b") for n in numbers)
    return bytes(int(text[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(text), 8))


def in_rows(numbers, each=WIDTH):
    return [numbers[i : i + each] for i in range(0, len(numbers), each)]


def palette(colours, end=b"\0"):
    return b"".join(bytes([(i * 50) % 256, (i * 91 + 3) % 256, 255 - i]) + end for i in range(colours))


area = WIDTH * HEIGHT
words = in_rows(values(area, 65535, 9973))
files = {
    "bmp of 1 bit": bmp(1, [packed(row, 1) for row in in_rows(values(area, 1, 3))], palette(2)),
    "bmp of 4 bits": bmp(4, [packed(row, 4) for row in in_rows(values(area, 15))], palette(16)),
    "bmp of 8 bits": bmp(8, [bytes(row) for row in in_rows(values(area, 255))], palette(256)),
    "bmp of OS/2": bmp(8, [bytes(row) for row in in_rows(values(area, 255))], palette(256, b""), core=True),
    "bmp of 15 bits": bmp(16, [struct.pack(f"<{WIDTH}H", *(w & 0x7FFF for w in row)) for row in words]),
    "bmp of 16 bits": bmp(
        16, [struct.pack(f"<{WIDTH}H", *row) for row in words], masks=(0xF800, 0x7E0, 0x1F)
    ),
    "bmp of 24 bits": bmp(24, [bytes(row) for row in in_rows(values(3 * area, 255), 3 * WIDTH)]),
    "bmp from the top": bmp(24, [bytes(row) for row in in_rows(values(3 * area, 255), 3 * WIDTH)], top_down=True),
    "bmp of 32 bits": bmp(32, [bytes(row) for row in in_rows(values(4 * area, 255), 4 * WIDTH)]),
    "bmp with opacity": bmp(
        32,
        [bytes(row) for row in in_rows(values(4 * area, 255), 4 * WIDTH)],
        masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    ),
    "pbm": b"P1\n# a comment\n5 3\n10110\n0 1 0 0 1\n11111\n",
    "pgm": b"P2 5 3 255 " + " ".join(map(str, values(area, 255))).encode(),
    "pgm to 15": b"P2\n5 # wide\n3\n15\n" + " ".join(map(str, values(area, 15, 7))).encode(),
    "ppm": b"P3\n5 3\n255\n" + "\n".join(map(str, values(3 * area, 255))).encode() + b"\n",
    "pbm of bytes": b"P4\n5 3\n" + b"".join(packed(row, 1) for row in in_rows(values(area, 1, 3))),
    "pgm of bytes": b"P5\n5 3\n255\n" + bytes(values(area, 255)),
    "pgm of bytes to 100": b"P5 5 3 100\n" + bytes(values(area, 100)),
    "ppm of bytes": b"P6\n# a comment\n5 3\n255\n" + bytes(values(3 * area, 255)),
    "ppm of words": b"P6 5 3 65535\n" + struct.pack(f">{3 * area}H", *values(3 * area, 65535, 9973)),
}


def read(data):
    """Red, green and blue by rows; what is transparent lies on white."""
    image = Image.open(io.BytesIO(data))
    assert image.size == (WIDTH, HEIGHT)
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return list(image.convert("RGB").tobytes())


golden = [
    {"name": name, "file": base64.b64encode(data).decode(), "values": read(data)} for name, data in files.items()
]
path = Path(__file__).parent / "data" / "bitmaps.json"
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
