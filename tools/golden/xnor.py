"""XNOR-Net's and BWN's quantizers (Rastegari et al. 2016, arXiv 1603.05279), with their gradients.

Weights are [row, column, in, out] or [in, out]; C is the number of inputs, N = C kh kw.
"""

import torch
import torch.nn.functional as F

from functions import sign, straight_through


def centred(w):
    """Over the inputs; one input alone stays, of which nothing would be left."""
    return w if w.shape[-2] == 1 else w - w.mean(-2, keepdim=True)


def prepare(w):
    """What the latent weights become before each forward pass: clamp(W - mean over the inputs, -1, 1)."""
    return centred(w).clamp(-1, 1)


class Binary(torch.autograd.Function):
    """alpha_o sign(W_o), alpha_o = mean |W_o| over the weights of output o.

    Backward: the authors' code has g (1/N + alpha 1{|W| < 1}) (1 - 1/C), redbit the chain rule
    (1 - 1/C) [alpha g + sign(W) (1/N) sum_j sign(W_j) g_j] N. Without centring 1 - 1/C is 1.
    """

    @staticmethod
    def forward(ctx, w, preset):
        alpha = w.abs().flatten(0, -2).mean(0)
        ctx.save_for_backward(w, alpha)
        ctx.preset = preset
        return alpha * sign(w, preset)

    @staticmethod
    def backward(ctx, g):
        w, alpha = ctx.saved_tensors
        n, c = w[..., 0].numel(), w.shape[-2]
        centring = 1 - 1 / c if c > 1 else 1
        if ctx.preset == "paper":
            return g * (1 / n + alpha * (w.abs() < 1)) * centring, None
        s = sign(w, ctx.preset)
        through_scale = s * (s * g).flatten(0, -2).sum(0) / n
        return centring * (alpha * g + through_scale) * n, None


def weights(w, bits, preset="paper"):
    return w if bits == 32 else Binary.apply(w, preset)


def activations(x, bits, preset="paper"):
    """sign(x); backward g 1{|x| < 1}."""
    return x if bits == 32 else straight_through(x, sign(x, preset), x.abs() < 1)


def input_scale(x, kernel):
    """K = box(mean over channels |x|) (section 3.2): mean |x| of each window, or of a linear layer's inputs.

    A constant for the gradient: that of x is the sign's alone.
    """
    a = x.detach().abs().mean(1, keepdim=True)
    return F.avg_pool2d(a, kernel, 1) if x.dim() == 4 else a
