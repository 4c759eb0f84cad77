"""QNN's quantizers (Hubara et al. 2016, arXiv 1609.07061), with their gradients; n = 2^(k-1)."""

import torch

from functions import clip, from_tie, sign, straight_through


def levels(x, bits, preset):
    """sign(x), or clamp(round(n x) / n, -1, 1 - 1/n)."""
    if bits == 1:
        return sign(x, preset)
    n = 2 ** (bits - 1)
    return (torch.round(n * x) / n).clamp(-1, 1 - 1 / n)


def weights(w, bits, preset="paper"):
    """Backward g. redbit scales by the largest |w| where there is more than one bit."""
    if bits == 32:
        return w
    m = w.abs().max() if preset == "redbit" and bits > 1 else w.new_ones([])
    return straight_through(w, m * levels(w / m if m > 0 else w, bits, preset))


def nonlinearity(x, activation_bits):
    return torch.relu(x) if activation_bits == 32 else clip(x, -1, 1)


def activations(x, bits, preset="paper"):
    """Of values that have gone through `nonlinearity`. Backward g 1{|x| <= 1}, in redbit g 1{|x| < 1}."""
    if bits == 32:
        return x
    inside = x.abs() < 1 if preset == "redbit" else x.abs() <= 1
    return straight_through(x, levels(x, bits, preset), inside)


def distance(x, bits):
    """How far x in [-1, 1] lies from the nearest point where `levels` jumps: the clamp hides the last tie."""
    if bits == 1:
        return x.abs()
    n = 2 ** (bits - 1)
    return torch.where(n * x > n - 1, n * x - n + 1.5, from_tie(n * x)) / n
