"""LeNet-5 of each method: one training step in PyTorch, written the way a good PyTorch user would for speed.

The same networks, loss and optimizer (Adam) as `bench/ours/lenet5.mjs`; methods are as in their papers.
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
    """DoReFa: round(n clip(x, 0, 1)) / n; backward g 1{0 <= x <= 1}."""

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


class Sign(torch.autograd.Function):
    """QNN: sign(x), sign(0) = +1; backward g. Activations are in [-1, 1] already, so all pass."""

    @staticmethod
    def forward(ctx, x):
        return torch.where(x < 0, -1.0, 1.0)

    @staticmethod
    def backward(ctx, g):
        return g


class SignWithinOne(torch.autograd.Function):
    """XNOR-Net: sign(x); backward g 1{|x| < 1}."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x < 0, -1.0, 1.0)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x.abs() < 1)


class BinaryWeights(torch.autograd.Function):
    """XNOR-Net: mean |w| of each output times sign(w); backward g (1/N + alpha 1{|w| < 1}) (1 - 1/C)."""

    @staticmethod
    def forward(ctx, w):
        alpha = w.abs().mean(tuple(range(1, w.dim())), keepdim=True)
        ctx.save_for_backward(w, alpha)
        return torch.where(w < 0, -alpha, alpha)

    @staticmethod
    def backward(ctx, g):
        w, alpha = ctx.saved_tensors
        factor = 1 - 1 / w.shape[1]
        through_scale = factor / w[0].numel()
        return g * torch.where(w.abs() < 1, alpha * factor + through_scale, through_scale)


class TernaryWeights(torch.autograd.Function):
    """TWN: alpha {-1, 0, 1}, threshold 0.7 mean |w|, alpha the mean |w| above it; backward g."""

    @staticmethod
    def forward(ctx, w):
        size = w.abs()
        used = size > 0.7 * size.mean()
        alpha = (size * used).sum() / used.sum()
        return w.sign() * used * alpha

    @staticmethod
    def backward(ctx, g):
        return g


class TrainedTernaryWeights(torch.autograd.Function):
    """TTQ: p where w > 0.05 max |w|, -n where w < -0.05 max |w|, else 0, with the gradients of w, p and n."""

    @staticmethod
    def forward(ctx, w, positive, negative):
        threshold = 0.05 * w.abs().max()
        above, below = w > threshold, w < -threshold
        ctx.save_for_backward(above, below, positive, negative)
        return above * positive - below * negative

    @staticmethod
    def backward(ctx, g):
        above, below, positive, negative = ctx.saved_tensors
        factor = torch.where(above, positive, torch.where(below, negative, 1.0))
        return g * factor, (g * above).sum(), -(g * below).sum()


class LeNet5(nn.Module):
    """What the methods share. A batch norm takes its layer's output, in XNOR-Net the next one's input."""

    def __init__(self, norms=(20, 50, 500, 250)):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5, bias=False)
        self.bn1 = nn.BatchNorm2d(norms[0], eps=1e-4, affine=False)
        self.conv2 = nn.Conv2d(20, 50, 5, bias=False)
        self.bn2 = nn.BatchNorm2d(norms[1], eps=1e-4)
        self.fc1 = nn.Linear(800, 500, bias=False)
        self.bn3 = nn.BatchNorm1d(norms[2], eps=1e-4)
        self.fc2 = nn.Linear(500, 250, bias=False)
        self.bn4 = nn.BatchNorm1d(norms[3], eps=1e-4)
        self.fc3 = nn.Linear(250, 10, bias=False)

    def weights(self, layer):
        return layer.weight

    def outer_weights(self, layer):
        """Of the first and the last layer."""
        return layer.weight

    def activations(self, x):
        return x

    nonlinearity = staticmethod(F.relu)
    pool = staticmethod(F.max_pool2d)

    def forward(self, x):
        x = F.conv2d(x, self.outer_weights(self.conv1))
        x = self.pool(self.nonlinearity(self.bn1(x)), 2)
        x = F.conv2d(self.activations(x), self.weights(self.conv2))
        x = self.pool(self.nonlinearity(self.bn2(x)), 2)
        x = F.linear(self.activations(x.flatten(1)), self.weights(self.fc1))
        x = self.nonlinearity(self.bn3(x))
        x = F.linear(self.activations(x), self.weights(self.fc2))
        x = self.nonlinearity(self.bn4(x))
        return F.linear(self.last_input(x), self.outer_weights(self.fc3))

    def last_input(self, x):
        return x

    constrain = None  # what happens to the weights after each update, if anything


class Baseline(LeNet5):
    pool = staticmethod(F.avg_pool2d)


class DoReFa(Baseline):
    """2 bits."""

    def weights(self, layer):
        n = 3
        t = torch.tanh(layer.weight)
        return Round.apply(t * (n / (2 * t.abs().max())) + n / 2) * (2 / n) - 1

    def activations(self, x):
        return QuantizeActivations.apply(x, 3)

    def last_input(self, x):
        return x.clamp(0, 1)


class QNN(LeNet5):
    nonlinearity = staticmethod(F.hardtanh)

    def weights(self, layer):
        return Sign.apply(layer.weight)

    outer_weights = weights

    def activations(self, x):
        return Sign.apply(x)

    last_input = activations

    @torch.no_grad()
    def constrain(self):
        for layer in (self.conv1, self.conv2, self.fc1, self.fc2, self.fc3):
            layer.weight.clamp_(-1, 1)


class XNOR(LeNet5):
    def __init__(self):
        super().__init__(norms=(20, 20, 800, 500))

    def weights(self, layer):
        return BinaryWeights.apply(layer.weight)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.conv2d(SignWithinOne.apply(self.bn2(x)), self.weights(self.conv2)), 2)
        x = F.linear(SignWithinOne.apply(self.bn3(x.flatten(1))), self.weights(self.fc1))
        x = F.linear(SignWithinOne.apply(self.bn4(x)), self.weights(self.fc2))
        return self.fc3(x)

    @torch.no_grad()
    def constrain(self):
        for layer in (self.conv2, self.fc1, self.fc2):
            w = layer.weight
            w.sub_(w.mean(1, keepdim=True)).clamp_(-1, 1)


class TWN(LeNet5):
    def weights(self, layer):
        return TernaryWeights.apply(layer.weight)

    outer_weights = weights


class TTQ(LeNet5):
    def __init__(self):
        super().__init__()
        for layer in (self.conv2, self.fc1, self.fc2):
            layer.positive, layer.negative = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))

    def weights(self, layer):
        return TrainedTernaryWeights.apply(layer.weight, layer.positive, layer.negative)


MODELS = {"baseline": Baseline, "dorefa": DoReFa, "qnn": QNN, "xnor": XNOR, "twn": TWN, "ttq": TTQ}


def seconds_since_process_start():
    """From the kernel's record, so that starting Python and importing torch count (in steps of 10 ms)."""
    started = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", choices=MODELS, default="baseline")
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
    model = MODELS[arguments.method]().to(memory_format=memory_format)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    images = torch.randn(arguments.batch_size, 1, 28, 28).to(memory_format=memory_format)
    labels = torch.randint(0, 10, (arguments.batch_size,))

    def loss_of(x, y):
        return F.cross_entropy(model(x), y)

    compiled = torch.compile if arguments.mode == "compile" else lambda function: function
    forward, constrain = compiled(loss_of), model.constrain and compiled(model.constrain)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(images, labels)
        loss.backward()
        optimizer.step()
        if constrain:
            constrain()
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
