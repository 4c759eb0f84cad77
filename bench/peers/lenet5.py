"""LeNet-5 of docs/methods: one training step in PyTorch, written the way a good PyTorch user would for speed.

The same network, loss and optimizer as `bench/ours/lenet5.mjs`: conv5x5 1-20, BN (no affine), ReLU, average
pool; conv5x5 20-50, BN, ReLU, pool; 800-500, BN, ReLU; 500-250, BN, ReLU; 250-10; cross-entropy; Adam.
DoReFa quantizes the inputs and weights of the three middle layers and clips the last layer's input.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


class QuantizeActivations(torch.autograd.Function):
    """round(n clip(x, 0, 1)) / n; backward g 1{0 <= x <= 1}."""

    @staticmethod
    def forward(ctx, x, n):
        ctx.save_for_backward(x)
        return (x.clamp(0, 1) * n).round_() / n

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ((x >= 0) & (x <= 1)), None


class Round(torch.autograd.Function):
    """Straight-through rounding."""

    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, g):
        return g


class ScaledSign(torch.autograd.Function):
    """mean |w| sign(w), sign(0) = +1; backward g."""

    @staticmethod
    def forward(ctx, w):
        mean = w.abs().mean()
        return torch.where(w >= 0, mean, -mean)

    @staticmethod
    def backward(ctx, g):
        return g


class LeNet5(nn.Module):
    def __init__(self, weight_bits, activation_bits):
        super().__init__()
        self.weight_bits, self.activation_bits = weight_bits, activation_bits
        self.conv1 = nn.Conv2d(1, 20, 5, bias=False)
        self.bn1 = nn.BatchNorm2d(20, eps=1e-4, affine=False)
        self.conv2 = nn.Conv2d(20, 50, 5, bias=False)
        self.bn2 = nn.BatchNorm2d(50, eps=1e-4)
        self.fc1 = nn.Linear(800, 500, bias=False)
        self.bn3 = nn.BatchNorm1d(500, eps=1e-4)
        self.fc2 = nn.Linear(500, 250, bias=False)
        self.bn4 = nn.BatchNorm1d(250, eps=1e-4)
        self.fc3 = nn.Linear(250, 10, bias=False)

    def weights(self, layer):
        w = layer.weight
        if self.weight_bits == 32:
            return w
        if self.weight_bits == 1:
            return ScaledSign.apply(w)
        n = 2**self.weight_bits - 1
        t = torch.tanh(w)
        return Round.apply(t * (n / (2 * t.abs().max())) + n / 2) * (2 / n) - 1

    def activations(self, x):
        if self.activation_bits == 32:
            return x
        return QuantizeActivations.apply(x, 2**self.activation_bits - 1)

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.conv2d(self.activations(x), self.weights(self.conv2))
        x = F.avg_pool2d(F.relu(self.bn2(x)), 2)
        x = F.linear(self.activations(x.flatten(1)), self.weights(self.fc1))
        x = F.relu(self.bn3(x))
        x = F.linear(self.activations(x), self.weights(self.fc2))
        x = F.relu(self.bn4(x))
        if self.activation_bits < 32:
            x = x.clamp(0, 1)
        return self.fc3(x)


def seconds_since_process_start():
    """From the kernel's record, so that starting Python and importing torch count (in steps of 10 ms)."""
    started = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=["baseline", "dorefa"], default="baseline")
    parser.add_argument("--weight-bits", type=int, default=2)
    parser.add_argument("--activation-bits", type=int, default=2)
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--format", choices=["contiguous", "channels_last"], default="contiguous")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--warmup", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    memory_format = torch.channels_last if arguments.format == "channels_last" else torch.contiguous_format
    float_only = arguments.method == "baseline"
    bits = (32, 32) if float_only else (arguments.weight_bits, arguments.activation_bits)
    model = LeNet5(*bits).to(memory_format=memory_format)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    images = torch.randn(arguments.batch_size, 1, 28, 28).to(memory_format=memory_format)
    labels = torch.randint(0, 10, (arguments.batch_size,))

    def loss_of(x, y):
        return F.cross_entropy(model(x), y)

    forward = torch.compile(loss_of) if arguments.mode == "compile" else loss_of

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(images, labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    try:
        step()
    except Exception as error:
        if arguments.mode != "compile":
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        sys.exit(f"torch.compile failed: {reason}")
    first = seconds_since_process_start()
    for _ in range(arguments.warmup):
        step()
    times = []
    for _ in range(arguments.steps):
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    result = {
        "medianMs": statistics.median(times) if times else None,
        "firstStepSeconds": first,
        "peakBytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "torch": torch.__version__,
        "threads": arguments.threads,
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        median = f"{result['medianMs']:.1f} ms a step (median), " if times else ""
        print(f"{median}first step after {first:.2f} s, peak {result['peakBytes'] / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
