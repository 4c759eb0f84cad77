"""Images whose brightness, contrast and saturation torchvision changes: data/jitter.json, read by src/data/jitter.test.ts.

    pip install torch==2.15.0 torchvision
    python3 tools/golden/jitter.py
"""

import itertools
import json
from pathlib import Path

import torch
from torchvision.transforms import functional


def pixels(height, width, channels):
    """By a formula, which the test has too."""
    y, x, c = torch.meshgrid(*(torch.arange(n) for n in (height, width, channels)), indexing="ij")
    return ((y * 37 + x * 101 + c * 59 + y * x * 13) % 256).to(torch.uint8)


changes = {
    "brightness": functional.adjust_brightness,
    "contrast": functional.adjust_contrast,
    "saturation": functional.adjust_saturation,
}
# All less, all more, and mixed, none of which is exact in float32.
factors = [(0.3, 0.6, 0.1), (1.4, 1.9, 1.7), (0.9, 1.3, 0.45)]

cases = []
for channels in (3, 1):
    for brightness, contrast, saturation in factors:
        for order in itertools.permutations(changes):
            image = pixels(5, 4, channels).permute(2, 0, 1)
            for name in order:
                factor = {"brightness": brightness, "contrast": contrast, "saturation": saturation}[name]
                image = changes[name](image, factor)
            values = image.permute(1, 2, 0).reshape(-1).tolist()
            given = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
            cases.append({"channels": channels, **given, "order": order, "values": values})

path = Path(__file__).parent / "data" / "jitter.json"
path.write_text(json.dumps({"height": 5, "width": 4, "cases": cases}, separators=(",", ":")) + "\n")
