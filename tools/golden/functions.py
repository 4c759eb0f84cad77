"""What the quantizers of several methods are made of, with their gradients written out."""

import torch


class Replace(torch.autograd.Function):
    """`value` in the place of x; backward: x gets g * factor, value nothing."""

    @staticmethod
    def forward(ctx, x, value, factor):
        ctx.factor = factor
        return value.clone()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None, None


def straight_through(x, value, factor=1):
    return Replace.apply(x, value.detach(), factor)


def sign(x, preset):
    """sign(0) = sign(-0) = +1 as the papers have it, 0 in redbit."""
    s = torch.sign(x)
    return torch.where(x == 0, torch.ones_like(s), s) if preset == "paper" else s


def clip(x, low, high):
    """clip(x, low, high); backward g 1{low <= x <= high}. torch.clamp's differs by version there."""
    return straight_through(x, x.detach().clamp(low, high), (x >= low) & (x <= high))


def from_tie(x):
    """How far x lies from the nearest tie of round(x)."""
    return (x - torch.floor(x) - 0.5).abs()
