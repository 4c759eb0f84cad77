"""DoReFa-Net's quantizers (Zhou et al. 2016, arXiv 1606.06160, sections 2.3 to 2.5), with their gradients."""

import torch


class Round(torch.autograd.Function):
    """round(x), half to even; backward g (the straight-through estimator)."""

    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, g):
        return g


class ScaledSign(torch.autograd.Function):
    """E sign(w), E = mean |w|, sign(0) = +1; backward g."""

    @staticmethod
    def forward(ctx, w):
        mean = w.abs().mean()
        return torch.where(w >= 0, mean, -mean)

    @staticmethod
    def backward(ctx, g):
        return g


class Clip(torch.autograd.Function):
    """clip(x, 0, 1); backward g 1{0 <= x <= 1}. torch.clamp's own gradient at 0 and 1 differs by version."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x < 0, 0.0, torch.where(x > 1, 1.0, x))

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return torch.where((x >= 0) & (x <= 1), g, 0.0)


def quantize(x, bits):
    """q_k(x) = round(n x) / n, n = 2^k - 1."""
    n = 2**bits - 1
    return Round.apply(n * x) / n


def unit(w):
    """tanh(w) / (2 max |tanh w|) + 1/2, in [0, 1]; the gradient goes through the maximum too. 0 / 0 counts as 0."""
    t = torch.tanh(w)
    largest = t.abs().max()
    return (t / (2 * largest) if largest > 0 else t) + 0.5


def weights(w, bits):
    if bits == 32:
        return w
    return ScaledSign.apply(w) if bits == 1 else 2 * quantize(unit(w), bits) - 1


def activations(x, bits):
    return torch.relu(x) if bits == 32 else quantize(Clip.apply(x), bits)


def distance(x, bits):
    """How far x in [0, 1] lies from the nearest tie of q_k."""
    n = 2**bits - 1
    return ((n * x - torch.floor(n * x)) - 0.5).abs() / n
