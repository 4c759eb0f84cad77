"""The methods, each as its paper has it, for the networks beside this file: what a good PyTorch user would write for speed.

A network asks its method for the weights and inputs of its inner layers, and of its first and last.
"""

import torch
import torch.nn.functional as F
from torch import nn


def sign(x):
    """sign(0) = +1."""
    return torch.where(x < 0, -1.0, 1.0).to(x.dtype)


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
    """QNN: sign(x); backward g. Activations are in [-1, 1] already, so all pass."""

    @staticmethod
    def forward(ctx, x):
        return sign(x)

    @staticmethod
    def backward(ctx, g):
        return g


class SignWithinOne(torch.autograd.Function):
    """XNOR-Net: sign(x); backward g 1{|x| < 1}."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x.abs() < 1)


class BinaryWeights(torch.autograd.Function):
    """XNOR-Net: mean |w| of each output times sign(w); backward g N (1/N + alpha 1{|w| < 1}) (1 - 1/C), with SGD."""

    @staticmethod
    def forward(ctx, w):
        alpha = w.abs().mean(tuple(range(1, w.dim())), keepdim=True)
        ctx.save_for_backward(w, alpha)
        return torch.where(w < 0, -alpha, alpha)

    @staticmethod
    def backward(ctx, g):
        w, alpha = ctx.saved_tensors
        factor = (1 - 1 / w.shape[1]) * w[0].numel()
        through_scale = 1 - 1 / w.shape[1]
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


class Baseline:
    """No quantizer. `order` is that of a residual block; `pool` is LeNet-5's."""

    order = "after"  # batch norm after the layer; "before": XNOR-Net; "pre-activation": DoReFa-Net's blocks
    dropout = 0.0  # in VGG-16's classifier
    constrain = None  # (inner layers, outer layers): what happens to the weights after each update, if anything
    pool = staticmethod(F.avg_pool2d)
    nonlinearity = staticmethod(F.relu)

    def prepare(self, layers):
        """Adds what the inner layers train beside their weights."""

    def weights(self, layer):
        return layer.weight

    def outer_weights(self, layer):
        """Of the first and the last layer."""
        return layer.weight

    def activations(self, x):
        return x

    def last_input(self, x):
        return x


class DoReFa(Baseline):
    """2 bits."""

    order = "pre-activation"

    def weights(self, layer):
        n = 3
        t = torch.tanh(layer.weight)
        return Round.apply(t * (n / (2 * t.abs().max())) + n / 2) * (2 / n) - 1

    def activations(self, x):
        return QuantizeActivations.apply(x, 3)

    def last_input(self, x):
        return x.clamp(0, 1)


class QNN(Baseline):
    """1 bit."""

    pool = staticmethod(F.max_pool2d)
    nonlinearity = staticmethod(F.hardtanh)

    def weights(self, layer):
        return Sign.apply(layer.weight)

    outer_weights = weights

    def activations(self, x):
        return Sign.apply(x)

    last_input = activations

    @staticmethod
    @torch.no_grad()
    def constrain(inner, outer):
        for layer in (*inner, *outer):
            layer.weight.clamp_(-1, 1)


class XNOR(Baseline):
    order = "before"
    pool = staticmethod(F.max_pool2d)

    def weights(self, layer):
        return BinaryWeights.apply(layer.weight)

    def activations(self, x):
        return SignWithinOne.apply(x)

    @staticmethod
    @torch.no_grad()
    def constrain(inner, outer):
        for layer in inner:
            w = layer.weight
            w.sub_(w.mean(1, keepdim=True)).clamp_(-1, 1)


class TWN(Baseline):
    dropout = 0.5
    pool = staticmethod(F.max_pool2d)

    def weights(self, layer):
        return TernaryWeights.apply(layer.weight)

    outer_weights = weights


class TTQ(Baseline):
    dropout = 0.5
    pool = staticmethod(F.max_pool2d)

    def prepare(self, layers):
        for layer in layers:
            layer.positive, layer.negative = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))

    def weights(self, layer):
        return TrainedTernaryWeights.apply(layer.weight, layer.positive, layer.negative)


METHODS = {"baseline": Baseline, "dorefa": DoReFa, "qnn": QNN, "xnor": XNOR, "twn": TWN, "ttq": TTQ}
