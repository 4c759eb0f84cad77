"""Steps whose gradients are summed over small batches before one update, as PyTorch's users write them, in double.

A network with batch norm takes three steps of SGD with momentum: 8 images in small batches of 4, twice, and the 6 images
that are left, as small batches of 4 and 2. `data/accumulate.json` is read by src/training/accumulate.test.ts.
"""

import json
from pathlib import Path

import torch
from torch import nn

import formula

DATA = Path(__file__).parent / "data" / "accumulate.json"
STEPS = [[4, 4], [4, 4], [4, 2]]
PARAMETERS = {
    "conv1.weight": {"shape": [3, 3, 1, 4], "center": 0, "spread": 0.5},
    "bn1.scale": {"shape": [4], "center": 1, "spread": 0.3},
    "bn1.shift": {"shape": [4], "center": 0, "spread": 0.3},
    "fc1.weight": {"shape": [64, 4], "center": 0, "spread": 0.2},
}
STATISTICS = {
    "bn1.mean": {"shape": [4], "center": 0, "spread": 0.2},
    "bn1.variance": {"shape": [4], "center": 1, "spread": 0.5},
}
IMAGES = {"shape": [22, 6, 6, 1], "center": 0, "spread": 1}
SGD = {"learningRate": 0.1, "momentum": 0.9, "weightDecay": 0.01}


def values(specs):
    return {name: formula.tensor(f"accumulate/{name}", spec) for name, spec in specs.items()}


def network():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4, bias=False)
    ).double()
    start = {**values(PARAMETERS), **values(STATISTICS)}
    with torch.no_grad():
        net[0].weight.copy_(start["conv1.weight"].permute(3, 2, 0, 1))
        net[1].weight.copy_(start["bn1.scale"])
        net[1].bias.copy_(start["bn1.shift"])
        net[1].running_mean.copy_(start["bn1.mean"])
        net[1].running_var.copy_(start["bn1.variance"])
        net[4].weight.copy_(start["fc1.weight"].T)
    return net


def state(net):
    tensors = {
        "conv1.weight": net[0].weight.permute(2, 3, 1, 0),
        "bn1.scale": net[1].weight,
        "bn1.shift": net[1].bias,
        "fc1.weight": net[4].weight.T,
        "bn1.mean": net[1].running_mean,
        "bn1.variance": net[1].running_var,
    }
    return {name: tensor.detach().reshape(-1).tolist() for name, tensor in tensors.items()}


def main():
    torch.set_num_threads(1)
    net = network()
    images = formula.tensor("accumulate/images", IMAGES).permute(0, 3, 1, 2)
    labels = formula.labels("accumulate/labels", len(images), 4)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=SGD["learningRate"], momentum=SGD["momentum"], weight_decay=SGD["weightDecay"]
    )
    steps, at = [], 0
    for sizes in STEPS:
        optimizer.zero_grad()
        losses = []
        for size in sizes:
            loss = nn.functional.cross_entropy(net(images[at : at + size]), labels[at : at + size])
            (loss * (size / sum(sizes))).backward()
            losses.append(loss.item())
            at += size
        optimizer.step()
        steps.append({"sizes": sizes, "losses": losses, "after": state(net)})
    golden = {
        "optimizer": SGD,
        "images": IMAGES,
        "parameters": PARAMETERS,
        "statistics": STATISTICS,
        "labels": labels.tolist(),
        "steps": steps,
    }
    DATA.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
