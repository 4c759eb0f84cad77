"""The peers' losses from our weights, for `bench/check-peers.mjs`: of an evaluation, and of two training steps.

In double: float32 has the peers' own rounding decide on signs and codes, differently by memory format. Each is computed
several times, but for the first of images with random changes of a hundred-thousandth: in networks of signs and rounding such a
difference grows from layer to layer, and what it does to the losses is what two right programs may differ by.
Reads a folder's `weights.json` (network, method, shapes by name, in the order of `weights.bin`, f32), and prints a JSON object.
"""

import json
import math
import pathlib
import re
import sys

import torch
import torch.nn.functional as F

from cifar import NETWORKS, parameter_groups
from methods import METHODS

PERTURBATIONS = 4
# The running means of batch norm, and half its shifts: a sum of signs that is exactly 0, or exactly its mean over a batch, would
# make the next sign a matter of rounding.
OFFSET = 0.0123
BATCH_NORM = {"weight": "scale", "bias": "shift"}


def our_name(name, network, blocks):
    """bn.weight -> bn1.scale, blocks.3.conv3.weight -> stage2.block1.shortcut.weight, convolutions.0.layer.weight -> conv2.weight."""
    *path, last = name.split(".")
    if network == "alexnet":
        kind, first = {"convolutions": ("conv", 1), "norms": ("bn", 1), "linears": ("fc", 1), "classifier_norms": ("bn", 6)}[path[0]]
        path = [f"{kind}{int(path[1]) + first}"]
    elif path[0] == "blocks":
        stage, block = divmod(int(path[1]), blocks)
        part = {"conv3": "shortcut", "bn3": "shortcutNorm"}.get(path[2], path[2])
        path = [f"stage{stage + 1}", f"block{block + 1}", part]
    elif path[0] == "convolutions":
        path = [{"layer": "conv", "norm": "bn"}[path[2]] + str(int(path[1]) + 2)]
    elif path[0] == "norms":
        path = [f"fc{int(path[1]) + 1}", "norm"]
    elif path[0] in ("conv", "bn"):
        path = [path[0] + "1"]
    if last in ("positive", "negative"):
        return ".".join([*path, "own", last])
    is_norm = re.search(r"bn\d+$|[nN]orm$", path[-1])
    return ".".join([*path, BATCH_NORM[last] if is_norm else last])


def load(folder, model, description):
    values, offset = {}, 0
    data = torch.frombuffer(bytearray((folder / "weights.bin").read_bytes()), dtype=torch.float32)
    for name, shape in description["shapes"].items():
        size = math.prod(shape)
        values[name] = data[offset : offset + size].reshape(shape)
        offset += size
    count = len(getattr(model, "blocks", [])) // (4 if description["network"] == "resnet18" else 3)
    for name, parameter in model.named_parameters():
        value = values.pop(our_name(name, description["network"], count))
        # [rows, columns, inputs, outputs] or [inputs, outputs]; PyTorch has outputs and inputs first.
        value = value.permute(3, 2, 0, 1) if value.dim() == 4 else value.T if value.dim() == 2 else value
        assert value.shape == parameter.shape, name
        parameter.data.copy_(value)
    assert not values, f"not in the peer: {', '.join(values)}"


def main():
    folder = pathlib.Path(sys.argv[1])
    description = json.loads((folder / "weights.json").read_text())
    torch.set_num_threads(1)
    count, side, classes = (description[key] for key in ("batchSize", "side", "classes"))
    # The batch of bench/ours/setup.mjs.
    pixels = 3.4 * (torch.sin(torch.arange(count * side * side * 3, dtype=torch.float64) * 12.9898) * 43758.5453 % 1 - 0.5)
    images = pixels.float().double().reshape(count, side, side, 3).permute(0, 3, 1, 2)
    labels = torch.arange(count) % classes
    runs = []
    for i in range(PERTURBATIONS):
        model = NETWORKS[description["network"]](METHODS[description["method"]](), classes, side).double()
        load(folder, model, description)
        # Of each pixel by itself: batch norm would undo a common factor.
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(i), dtype=torch.float64)
        runs.append(losses_of(model, images * (1 + 1e-5 * noise) if i > 0 else images, labels))
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"parameters": parameters, "runs": runs}))


def losses_of(model, images, labels):
    """Of an evaluation, and of two steps of training."""
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.fill_(OFFSET)
    model.eval()
    with torch.no_grad():
        losses = [F.cross_entropy(model(images), labels).item()]
    model.train()
    optimizer = torch.optim.SGD(parameter_groups(model), lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        if model.method.constrain:
            model.method.constrain(model.inner, model.outer)
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    main()
