"""A state_dict as PyTorch saves one with batch norm, and a tensor of every type, by Python's safetensors package.

    python tools/golden/state_dict.py FOLDER     # FOLDER/state-dict.safetensors and FOLDER/state-dict.json

The JSON has each tensor's type, shape and values as decimal texts, worked out here from the numbers and not from
the file. bfloat16, which numpy lacks, is written from the upper halves of floats that have no lower ones.
Needs tools/readers/requirements.txt.
"""
import json
import struct
import sys
from pathlib import Path

import numpy as np
from safetensors import TensorSpec, serialize

floats = [0.0, -0.0, 1.0, -2.5, 65504.0, 2.0**-24, -(2.0**-14), float("inf"), float("-inf"), float("nan"), 0.333251953125, -1023.5]
brain = [0.0, -0.0, 1.0, -2.5, 3.0e38, 2.0**-126, 2.0**-133, float("inf"), float("-inf"), float("nan"), 0.333984375, 96.5]


def upper_half(value: float) -> int:
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return bits >> 16


# 3.0e38 is no bfloat16: the value is what its upper half stands for.
brain = [struct.unpack("<f", struct.pack("<I", upper_half(value) << 16))[0] for value in brain]

arrays = {
    "conv1.weight": ("float16", np.array(floats, np.float16).reshape(2, 1, 2, 3), floats),
    "bn1.weight": ("float32", np.array([0.5, -1.25], np.float32), [0.5, -1.25]),
    "bn1.running_var": ("bfloat16", np.array([upper_half(v) for v in brain], np.uint16).reshape(3, 4), brain),
    "bn1.num_batches_tracked": ("int64", np.array(2**53 + 1, np.int64), [2**53 + 1]),
    "mask": ("bool", np.array([True, False, True]), [1, 0, 1]),
    "double": ("float64", np.array([0.1, -1e300]), [0.1, -1e300]),
    "negative": ("int64", np.array([-(2**63), -1], np.int64), [-(2**63), -1]),
    "large": ("uint64", np.array([2**64 - 1, 0], np.uint64), [2**64 - 1, 0]),
    "int32": ("int32", np.array([-(2**31), 7], np.int32), [-(2**31), 7]),
    "uint32": ("uint32", np.array([2**32 - 1, 7], np.uint32), [2**32 - 1, 7]),
    "int16": ("int16", np.array([-(2**15), 7], np.int16), [-(2**15), 7]),
    "uint16": ("uint16", np.array([2**16 - 1, 7], np.uint16), [2**16 - 1, 7]),
    "int8": ("int8", np.array([-128, 7], np.int8), [-128, 7]),
    "uint8": ("uint8", np.array([255, 7], np.uint8), [255, 7]),
    "empty": ("float16", np.zeros((0, 3), np.float16), []),
}

assert [repr(float(value)) for value in np.array(floats, np.float16)] == [repr(value) for value in floats]

folder = Path(sys.argv[1])
keep = {name: np.ascontiguousarray(array) for name, (_, array, _) in arrays.items()}
specs = {
    name: TensorSpec(dtype=kind, shape=list(array.shape), data_ptr=keep[name].ctypes.data, data_len=keep[name].nbytes)
    for name, (kind, array, _) in arrays.items()
}
(folder / "state-dict.safetensors").write_bytes(serialize(specs, {"format": "pt"}))
described = {
    name: {"type": kind, "shape": list(array.shape), "values": [repr(value) for value in values]}
    for name, (kind, array, values) in arrays.items()
}
(folder / "state-dict.json").write_text(json.dumps(described, indent=1) + "\n")

# Types that fewbit does not read.
eight = np.array([0x38], np.uint8)
other = {"scale": TensorSpec(dtype="float8_e4m3fn", shape=[1], data_ptr=eight.ctypes.data, data_len=1)}
(folder / "float8.safetensors").write_bytes(serialize(other, {"format": "pt"}))
