"""Steps of optimizers, as PyTorch has them, in double.

Each optimizer takes five steps from the same two parameters; the gradients are those of a bowl that is different in each
step, so that moments and momentum matter. `data/optimizers.json` is read by src/optim/golden.test.ts.
"""

import json
from pathlib import Path

import torch

import formula

DATA = Path(__file__).parent / "data" / "optimizers.json"
PARAMETERS = {
    "fc1.weight": {"shape": [3, 4], "center": 0, "spread": 1},
    "bn1.scale": {"shape": [4], "center": 1, "spread": 0.5},
}
STEPS = 5
RATE = 0.1
# ours: the name and options in fewbit; theirs: the class and options in PyTorch
OPTIMIZERS = [
    ("sgd", {}, torch.optim.SGD, {"momentum": 0.9}),
    ("sgd", {"weightDecay": 0.01, "nesterov": True}, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.01, "nesterov": True}),
    ("sgd", {"momentum": 0.5, "nesterov": True}, torch.optim.SGD, {"momentum": 0.5, "nesterov": True}),
    ("adam", {"weightDecay": 0.01}, torch.optim.Adam, {"weight_decay": 0.01}),
    ("adam", {"betas": [0.8, 0.95], "epsilon": 0.001}, torch.optim.Adam, {"betas": (0.8, 0.95), "eps": 0.001}),
    ("adamw", {}, torch.optim.AdamW, {}),
    ("adamw", {"weightDecay": 0.5, "betas": [0.8, 0.95]}, torch.optim.AdamW, {"weight_decay": 0.5, "betas": (0.8, 0.95)}),
]


def start():
    made = [formula.tensor(f"optimizers/{name}", spec) for name, spec in PARAMETERS.items()]
    return [torch.nn.Parameter(value) for value in made]


def gradients(parameters, step):
    """Those of the distance from a target that moves: the test has the same formula."""
    return [(p.detach() - 0.3 * step) * (i + 1) for i, p in enumerate(parameters)]


def trained(theirs, options):
    parameters = start()
    optimizer = theirs(parameters, lr=RATE, **options)
    for step in range(1, STEPS + 1):
        for p, g in zip(parameters, gradients(parameters, step)):
            p.grad = g
        optimizer.step()
    return {name: p.detach().reshape(-1).tolist() for name, p in zip(PARAMETERS, parameters)}


def main():
    torch.set_num_threads(1)
    golden = {
        "parameters": PARAMETERS,
        "steps": STEPS,
        "learningRate": RATE,
        "optimizers": [
            {"name": name, "options": ours, "after": trained(theirs, options)}
            for name, ours, theirs, options in OPTIMIZERS
        ],
    }
    DATA.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
