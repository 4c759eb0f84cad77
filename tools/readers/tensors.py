"""Prints what the safetensors package finds in a file, as one JSON object."""

import json
import sys

from safetensors import safe_open

with safe_open(sys.argv[1], framework="np") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    print(
        json.dumps(
            {
                "metadata": file.metadata(),
                "tensors": {
                    name: {"type": str(tensor.dtype), "shape": tensor.shape, "values": tensor.ravel().tolist()}
                    for name, tensor in tensors.items()
                },
            }
        )
    )
