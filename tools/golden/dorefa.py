"""DoReFa-Net's quantizers (Zhou et al. 2016, arXiv 1606.06160, sections 2.3 to 2.5), with their gradients."""

import torch

from functions import clip, from_tie, sign, straight_through


def quantize(x, bits):
    """q_k(x) = round(n x) / n, n = 2^k - 1; backward g."""
    n = 2**bits - 1
    return straight_through(x, torch.round(n * x) / n)


def unit(w, preset="paper"):
    """tanh(w) / (2 max |tanh w|) + 1/2, in [0, 1]; 0 / 0 counts as 0.

    The gradient goes through the maximum too, which redbit takes for a constant.
    """
    t = torch.tanh(w)
    largest = t.abs().max()
    if preset == "redbit":
        largest = largest.detach()
    return (t / (2 * largest) if largest > 0 else t) + 0.5


def weights(w, bits, preset="paper"):
    if bits == 32:
        return w
    if bits == 1:  # E sign(w), E = mean |w|; backward g
        return straight_through(w, w.abs().mean() * sign(w, preset))
    return 2 * quantize(unit(w, preset), bits) - 1


def activations(x, bits, preset="paper"):
    """q_k(clip(x, 0, 1)); of one bit that is 1{x > 1/2}, in redbit 1{x > 0}."""
    if bits == 32:
        return x
    x = clip(x, 0, 1)
    if bits == 1 and preset == "redbit":
        return straight_through(x, (x > 0).to(x.dtype))
    return quantize(x, bits)


def distance(x, bits, preset="paper"):
    """How far x lies from the nearest point where q_k(clip(x, 0, 1)) jumps; 0 is never met from below."""
    if bits == 1 and preset == "redbit":
        return torch.where(x > 0, x, torch.inf)
    n = 2**bits - 1
    return torch.where(x > 1, x - 1 + 0.5 / n, from_tie(n * x) / n)
