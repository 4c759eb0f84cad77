"""Writes data/: golden values of the quantizers and of training steps. See README.md.

Names on the command line limit it to these runs.
"""

import gzip
import json
import pathlib
import sys
import time

import torch
import torch.nn.functional as F

import blocks
import deep
import edges
import formula
import imagenet
from lenet5 import Method
from steps import training_step

DATA = pathlib.Path(__file__).parent / "data"
STEPS = 5
DIGITS = 13

ADAM = "adam", dict(lr=0.01)
SLOW_ADAM = "adam", dict(lr=0.001)
DECAYED_ADAM = "adam", dict(lr=0.001, weight_decay=1e-4)
SGD = "sgd", dict(lr=0.1, momentum=0.9, weight_decay=1e-4)

RUNS = {
    "baseline": (Method(), ADAM),
    "dorefa-1-2": (Method("dorefa", 1, 2), ADAM),
    "dorefa-2-2": (Method("dorefa", 2, 2), SGD),
    "dorefa-8-8": (Method("dorefa", 8, 8), DECAYED_ADAM),
    "dorefa-1-1-redbit": (Method("dorefa", 1, 1, "redbit"), SGD),
    "dorefa-2-2-redbit": (Method("dorefa", 2, 2, "redbit"), SLOW_ADAM),
    "qnn-1-1": (Method("qnn", 1, 1), ADAM),
    "qnn-1-1-redbit": (Method("qnn", 1, 1, "redbit"), ADAM),
    "qnn-2-2": (Method("qnn", 2, 2), SGD),
    "qnn-2-2-redbit": (Method("qnn", 2, 2, "redbit"), SLOW_ADAM),
    "qnn-8-8": (Method("qnn", 8, 8), ADAM),
    "qnn-1-32": (Method("qnn", 1, 32), DECAYED_ADAM),
    "qnn-32-32": (Method("qnn"), SLOW_ADAM),
    "xnor-1-1": (Method("xnor", 1, 1), DECAYED_ADAM),
    "xnor-1-1-scaled": (Method("xnor", 1, 1, input_scale=True), SGD),
    "xnor-1-1-redbit": (Method("xnor", 1, 1, "redbit", relu_after_convolution=True), SLOW_ADAM),
    "xnor-1-32": (Method("xnor", 1, 32, relu_after_convolution=True), SGD),
    "xnor-1-32-redbit": (Method("xnor", 1, 32, "redbit", relu_after_convolution=True), SLOW_ADAM),
    "twn-2-32": (Method("twn", 2, 32), SGD),
    "twn-2-32-redbit": (Method("twn", 2, 32, "redbit"), SGD),
    "ttq-2-32": (Method("ttq", 2, 32), DECAYED_ADAM),
    "ttq-2-32-redbit": (Method("ttq", 2, 32, "redbit"), SGD),
}
# Sums of +-alpha tie in pooling windows, and rounding would decide which is the largest: fewer images, fewer
# ties.
SMALL_BATCH = "xnor-1-1", "xnor-1-1-redbit"

resnet20 = lambda net, x: deep.resnet(net, x, 20)
resnet50 = lambda net, x: deep.resnet(net, x, 50)
NO_UPDATE = None, {}
# Network, method, optimizer, batch, steps.
DEEP = {
    "resnet20-baseline": (resnet20, Method(), SGD, 8, 3),
    "resnet20-dorefa-2-2": (resnet20, Method("dorefa", 2, 2), SGD, 8, 3),
    "resnet20-qnn-2-2": (resnet20, Method("qnn", 2, 2), ADAM, 8, 3),
    "resnet20-qnn-1-1-redbit": (resnet20, Method("qnn", 1, 1, "redbit"), ADAM, 8, 3),
    "resnet20-xnor-1-1": (resnet20, Method("xnor", 1, 1), ADAM, 8, 3),
    "resnet20-xnor-1-1-redbit": (
        resnet20,
        Method("xnor", 1, 1, "redbit", relu_after_convolution=True),
        ADAM,
        8,
        3,
    ),
    "resnet20-xnor-1-32": (resnet20, Method("xnor", 1, 32, relu_after_convolution=True), ADAM, 8, 3),
    "resnet20-twn-2-32": (resnet20, Method("twn", 2, 32), ADAM, 8, 3),
    "resnet20-ttq-2-32": (resnet20, Method("ttq", 2, 32), ADAM, 8, 3),
    "resnet50-dorefa-2-2": (resnet50, Method("dorefa", 2, 2), NO_UPDATE, 4, 1),
    "vgg16-baseline": (deep.vgg16, Method(), NO_UPDATE, 2, 1),
    "vgg16-dorefa-2-2": (deep.vgg16, Method("dorefa", 2, 2), NO_UPDATE, 2, 1),
}
DEEP_SAMPLES = 8
IMAGENET_SAMPLES = 4


def shortened(value):
    """The same with floats of 13 digits."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def described(method):
    """What recreates the method; ReLU after XNOR-Net's layers is as its preset has it."""
    return {
        "name": method.name,
        "weightBits": method.weight_bits,
        "activationBits": method.activation_bits,
        "preset": method.preset,
        **({"inputScale": True} if method.input_scale else {}),
    }


def imagenet_run(name, network, widths, method, optimizer, batch, side):
    kind, options = optimizer
    build = imagenet.BUILDS[network](method.preset, widths)
    started = time.perf_counter()
    step = deep.training_step(build, name, 2, method, kind, options, batch, side)
    print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    return {
        "name": name,
        "network": network,
        "widths": widths,
        "method": described(method),
        "optimizer": {"kind": kind, **options},
        "step": step,
    }


def write(name, value):
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    (DATA / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def check_pooling():
    """Among equals, which quantized values often are, the first in row order takes the gradient."""
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad.flatten().tolist() == [1, 0, 0, 0]


def main():
    torch.set_num_threads(1)
    check_pooling()
    names = sys.argv[1:]
    if not names:
        write("quantizers", edges.cases())
    for run in [name for name in names or RUNS if name in RUNS]:
        method, (kind, options) = RUNS[run]
        batch = 4 if run in SMALL_BATCH else 8
        started = time.perf_counter()
        steps = [training_step(run, step, method, kind, options, batch) for step in range(1, STEPS + 1)]
        optimizer = {"kind": kind, **options}
        write(
            f"lenet5-{run}", shortened({"method": described(method), "optimizer": optimizer, "steps": steps})
        )
        print(f"{run}: {time.perf_counter() - started:.0f} s", flush=True)
    formula.SAMPLES = DEEP_SAMPLES
    if not names or "blocks" in names:
        cases = [
            {"block": kind, "method": described(method), "step": step} for kind, method, step in blocks.cases()
        ]
        write("blocks", shortened(cases))
    if not names or "imagenet-blocks" in names:
        cases = [
            {"block": kind, "method": described(method), "step": step}
            for kind, method, step in imagenet.block_cases()
        ]
        write("imagenet-blocks", shortened(cases))
    for run in [name for name in names or DEEP if name in DEEP]:
        network, method, (kind, options), batch, count = DEEP[run]
        started = time.perf_counter()
        steps = [
            deep.training_step(network, run, step, method, kind, options, batch)
            for step in range(1, count + 1)
        ]
        optimizer = {"kind": kind, **options}
        write(run, shortened({"method": described(method), "optimizer": optimizer, "steps": steps}))
        print(f"{run}: {time.perf_counter() - started:.0f} s", flush=True)
    formula.SAMPLES = IMAGENET_SAMPLES
    if not names or "imagenet" in names:
        write("imagenet", shortened([imagenet_run(*run) for run in imagenet.runs()]))


if __name__ == "__main__":
    main()
