"""The quantizers of TWN and TTQ, with their gradients.

TWN: Li et al. 2016, arXiv 1605.04711; TTQ: Zhu et al. 2016, arXiv 1612.01064.
Weights are [row, column, in, out] or [in, out].
"""

import torch

from functions import straight_through


def twn_threshold(w, preset):
    """0.7 mean |W| of the layer, in redbit of each output channel."""
    return 0.7 * (w.abs().flatten(0, -2).mean(0) if preset == "redbit" else w.abs().mean())


def twn_weights(w, preset="paper"):
    """alpha sign(W) where |W| > D (in redbit >=), else 0; alpha is the mean |W| where |W| > D; backward g."""
    size, threshold = w.abs(), twn_threshold(w, preset)
    used = (size >= threshold if preset == "redbit" else size > threshold).to(w.dtype)
    count = (size > threshold).to(w.dtype)
    total = size * count
    if preset == "redbit":
        total, count = total.flatten(0, -2).sum(0), count.flatten(0, -2).sum(0)
    else:
        total, count = total.sum(), count.sum()
    alpha = total / count.clamp(min=1)  # nothing is used where all weights are zero
    return straight_through(w, alpha * used * torch.sign(w))


def ttq_threshold(w):
    return 0.05 * w.abs().max()


def ttq_region(w, own):
    """The weights that take the value of W_p ("positive") or W_n."""
    return w > ttq_threshold(w) if own == "positive" else w < -ttq_threshold(w)


class TrainedTernary(torch.autograd.Function):
    """W_p where W > D, -W_n where W < -D, else 0.

    Backward: g W_p, g W_n and g by region for W; the sums of g and -g over the regions for W_p and W_n.
    """

    @staticmethod
    def forward(ctx, w, positive, negative):
        above, below = ttq_region(w, "positive"), ttq_region(w, "negative")
        ctx.save_for_backward(above, below, positive, negative)
        return torch.where(above, positive, torch.where(below, -negative, torch.zeros_like(w)))

    @staticmethod
    def backward(ctx, g):
        above, below, positive, negative = ctx.saved_tensors
        factor = torch.where(above, positive, torch.where(below, negative, torch.ones_like(g)))
        return g * factor, (g * above).sum(), -(g * below).sum()


ttq_weights = TrainedTernary.apply
