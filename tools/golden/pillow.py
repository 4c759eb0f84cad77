"""Small images enlarged by Pillow, their middles and parts resized, images resized as the published framework does, and the grey of its colours: data/pillow.json, read by src/data/pillow.test.ts.

    pip install pillow==13.0.0 numpy
    python3 tools/golden/pillow.py
"""

import json
from pathlib import Path

import numpy
from PIL import Image


def pixels(height, width, channels):
    """By a formula, which the test has too."""
    y, x, c = numpy.meshgrid(range(height), range(width), range(channels), indexing="ij")
    return ((y * 37 + x * 101 + c * 59 + y * x * 13) % 256).astype(numpy.uint8)


def enlarged(height, width, channels, side):
    """The middle square, enlarged without rounding, as bytes would be."""
    shorter = min(height, width)
    top, left = (height - shorter) / 2, (width - shorter) / 2
    box = (left, top, left + shorter, top + shorter)
    planes = [
        Image.fromarray(plane.astype(numpy.float32), "F").resize((side, side), Image.BICUBIC, box=box)
        for plane in pixels(height, width, channels).transpose(2, 0, 1)
    ]
    values = numpy.stack([numpy.asarray(plane) for plane in planes], axis=2)
    return [round(float(value), 2) for value in values.clip(0, 255).ravel()]


def bilinear(height, width, side):
    """Of any mode that a file may have: [mode, its bytes, those of the resized red, green and blue]."""
    colours = Image.fromarray(pixels(height, width, 3))
    alpha = Image.fromarray(pixels(height, width, 4), "RGBA")
    for image in (colours, colours.convert("L"), alpha, colours.convert("CMYK")):
        shown = image.convert("RGB").resize((side, side), Image.BILINEAR)
        yield {
            "mode": image.mode,
            "height": height,
            "width": width,
            "side": side,
            "pixels": numpy.asarray(image).ravel().tolist(),
            "values": numpy.asarray(shown).ravel().tolist(),
        }


def rows_first(image, size, box):
    """Along rows and then along columns, which Pillow exchanges for some sizes: it then rounds otherwise, by 1 at most."""
    wide = image.resize((size[0], image.height), Image.BILINEAR, box=(box[0], 0, box[2], image.height))
    return wide.resize(size, Image.BILINEAR, box=(0, box[1], size[0], box[3]))


def resized(height, width, wanted, box=None):
    """An image's middle of the form of `wanted` (its bounds are exact in 32 bits, which Pillow keeps), or a part [left, top, right, bottom] cut out first, in another size."""
    image = Image.fromarray(pixels(height, width, 3))
    case = {"height": height, "width": width, "wanted": wanted}
    size = (wanted[1], wanted[0])
    if box is not None:
        shown = rows_first(image.crop(box), size, (0, 0, box[2] - box[0], box[3] - box[1]))
        return {**case, "box": box, "values": numpy.asarray(shown).ravel().tolist()}
    scale = max(wanted[0] / height, wanted[1] / width)
    high, wide = min(height, wanted[0] / scale), min(width, wanted[1] / scale)
    top, left = (height - high) / 2, (width - wide) / 2
    shown = rows_first(image, size, (left, top, left + wide, top + high))
    return {**case, "values": numpy.asarray(shown).ravel().tolist()}


sizes = [(16, 16, 1, 32), (3, 3, 1, 8), (5, 8, 3, 12), (11, 7, 3, 10), (1, 1, 1, 3), (31, 40, 1, 33)]
colours = [(r, g, b) for r in (0, 85, 200, 255) for g in (0, 31, 128, 255) for b in (0, 99, 255)]
grey = Image.new("RGB", (len(colours), 1))
grey.putdata(colours)
golden = {
    "enlarged": [
        {"height": h, "width": w, "channels": c, "side": side, "values": enlarged(h, w, c, side)}
        for h, w, c, side in sizes
    ],
    "bilinear": [case for size in [(7, 9, 8), (9, 7, 4), (3, 2, 8)] for case in bilinear(*size)],
    "resized": [
        resized(40, 61, [12, 12]),
        resized(61, 40, [10, 20]),
        resized(5, 8, [12, 12]),
        resized(9, 30, [11, 8]),
        resized(1, 1, [3, 3]),
        resized(7, 300, [7, 7]),
        resized(40, 61, [12, 12], [3, 5, 50, 29]),
        resized(40, 61, [12, 12], [60, 39, 61, 40]),
        resized(40, 61, [12, 20], [0, 0, 8, 40]),
    ],
    "grey": [[*colour, value] for colour, value in zip(colours, numpy.asarray(grey.convert("L"))[0].tolist())],
}
path = Path(__file__).parent / "data" / "pillow.json"
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
