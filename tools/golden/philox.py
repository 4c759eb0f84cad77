"""Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011) with the key 0: the random numbers of a step's dropout."""

import torch

WORD = 0xFFFFFFFF


def product(a, b):
    """The upper and the lower 32 bits of a constant times a tensor of 32-bit integers, held in 64 bits."""
    low, high = (a & 0xFFFF) * b, (a >> 16) * b
    return (high + (low >> 16)) >> 16, (low + ((high & 0xFFFF) << 16)) & WORD


def uniforms(stream, count):
    """In [0, 1), multiples of 2^-24: word i % 4 at counter (i / 4, stream, 0, 0)."""
    c0 = torch.arange((count + 3) // 4)
    c1, c2, c3 = torch.full_like(c0, stream), torch.zeros_like(c0), torch.zeros_like(c0)
    k0 = k1 = 0
    for _ in range(10):
        (high0, low0), (high1, low1) = product(0xD2511F53, c0), product(0xCD9E8D57, c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    words = torch.stack([c0, c1, c2, c3], 1).flatten()[:count]
    return (words >> 8).to(torch.float64) / 2**24
