"""Steps of optimizers, learning rates of schedules and clipped gradients, as PyTorch has them, in double.

Each optimizer takes five steps from the same two parameters; the gradients are those of a bowl that is different in each
step, so that moments and momentum matter. `data/optimizers.json` is read by src/optim/golden.test.ts.
"""

import json
from pathlib import Path

import torch
from torch.optim import lr_scheduler

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


def clipped(norm):
    """The gradients of the first step after clipping by their norm."""
    parameters = start()
    for p, g in zip(parameters, gradients(parameters, 1)):
        p.grad = g
    torch.nn.utils.clip_grad_norm_(parameters, norm)
    return {"norm": norm, "gradients": {name: p.grad.reshape(-1).tolist() for name, p in zip(PARAMETERS, parameters)}}


def rates(make, count):
    """The rate of each of `count` steps (or epochs) of a PyTorch schedule."""
    optimizer = torch.optim.SGD(start(), lr=RATE)
    schedule = make(optimizer)
    given = []
    for _ in range(count):
        given.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return given


def warmed(steps, then):
    """A linear warm-up from 1/steps, then another schedule, which counts from its own start."""

    def make(optimizer):
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / steps, total_iters=steps - 1)
        return lr_scheduler.SequentialLR(optimizer, [rise, then(optimizer)], milestones=[steps])

    return make


def schedules():
    """Four epochs of five steps each: where `by` is "step" a value for each step, else one for each epoch."""
    epochs, steps = 4, 5
    cosine = lambda count, final: lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, count, eta_min=final)
    several = lambda *at: lambda optimizer: lr_scheduler.MultiStepLR(optimizer, list(at), gamma=0.3)
    table = [
        ({"schedule": "cosine"}, "step", cosine(20, 0)),
        ({"schedule": "cosine", "finalRate": 0.01}, "step", cosine(20, 0.01)),
        ({"schedule": "cosine", "scheduleBy": "epoch"}, "epoch", cosine(4, 0)),
        ({"schedule": "cosine", "warmup": 1.4}, "step", warmed(7, cosine(13, 0))),
        ({"schedule": "cosine", "warmup": 2, "scheduleBy": "epoch"}, "epoch", warmed(2, cosine(2, 0))),
        ({"decayAt": [1, 3], "decayFactor": 0.3}, "epoch", several(1, 3)),
        ({"decayAt": [2, 3], "decayFactor": 0.3, "warmup": 1}, "step", warmed(5, several(5, 10))),
        ({"decayEvery": 2}, "epoch", lambda optimizer: lr_scheduler.StepLR(optimizer, 2)),
        ({"warmup": 2}, "step", warmed(10, lambda optimizer: lr_scheduler.ConstantLR(optimizer, 1, 1))),
    ]
    return {
        "epochs": epochs,
        "steps": steps,
        "rates": [
            {"settings": ours, "by": by, "rates": rates(make, epochs * (steps if by == "step" else 1))}
            for ours, by, make in table
        ],
    }


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
        "schedules": schedules(),
        "clipped": [clipped(norm) for norm in (0.5, 3.0, 1000.0)],
    }
    DATA.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
