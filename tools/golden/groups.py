"""Convolutions in groups and their gradients, in double: data/groups.json, read by src/graph/groups.test.ts.

    pip install torch numpy
    python3 tools/golden/groups.py
"""

import json
from pathlib import Path

import torch
from torch.nn import functional


def values(shape, factor):
    """By a formula, which the test has too."""
    count = torch.tensor(shape).prod().item()
    return ((torch.arange(count, dtype=torch.float64) * factor) % 23 - 11).reshape(shape) / 8


def case(images, height, width, channels, outputs, kernel, groups, stride, padding):
    """Values are by place in fewbit's layouts: images NHWC, weights [rows, columns, channels of a group, outputs]."""
    x = values((images, height, width, channels), 7).permute(0, 3, 1, 2).requires_grad_()
    w = values((*kernel, channels // groups, outputs), 5).permute(3, 2, 0, 1).requires_grad_()
    y = functional.conv2d(x, w, stride=stride, padding=padding, groups=groups)
    weights = values(y.permute(0, 2, 3, 1).shape, 3).permute(0, 3, 1, 2)
    (y * weights).sum().backward()
    flat = lambda tensor, order: tensor.detach().permute(order).flatten().tolist()
    return {
        "x": [images, height, width, channels],
        "w": [*kernel, channels // groups, outputs],
        "options": {"groups": groups, "stride": stride, "padding": padding},
        "y": flat(y, (0, 2, 3, 1)),
        "dx": flat(x.grad, (0, 2, 3, 1)),
        "dw": flat(w.grad, (2, 3, 1, 0)),
    }


golden = [
    case(2, 5, 6, 4, 4, (3, 3), 4, 1, 1),
    case(1, 7, 7, 3, 3, (3, 3), 3, 2, 1),
    case(2, 4, 5, 3, 6, (2, 3), 3, (1, 2), (0, 1)),
    case(2, 5, 4, 4, 6, (3, 3), 2, 1, 1),
    case(1, 6, 6, 6, 3, (1, 1), 3, 2, 0),
]
path = Path(__file__).parent / "data" / "groups.json"
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
