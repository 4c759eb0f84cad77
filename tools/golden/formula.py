"""Numbers that the golden script and the tests both make for themselves, so that no file has to hold them.

A tensor is described by its shape, `center` and `spread`; its element i (row-major) is

    float32(center + spread * u),   u = (2 * (h >> 22) - 1023) / 1024,   h = mix(i ^ mix(key ^ salt))

where key is the FNV-1a hash of its label and salt belongs to the element's output channel (the last
axis; 0 where there are none). All arithmetic before float32() is in double and in this order.
A tensor with `largest` has +spread at element size // 2, so that one element alone has the largest |w|.
"""

import torch

LEVELS = 1024


def fnv1a(label):
    h = 0x811C9DC5
    for byte in label.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def mix(x):
    """lowbias32, a bijection of 32-bit integers (github.com/skeeto/hash-prospector); x is an int64 tensor."""
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & 0xFFFFFFFF
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def hashes(label, size, salts=None):
    index = torch.arange(size)
    salt = torch.zeros(1, dtype=torch.int64) if salts is None else torch.tensor(salts)
    return mix(index ^ mix(fnv1a(label) ^ salt)[index % len(salt)])


def grid(spread):
    """All values a tensor of center 0 may take."""
    u = (2 * torch.arange(LEVELS, dtype=torch.float64) - (LEVELS - 1)) / LEVELS
    return float32(torch.cat([spread * u, torch.tensor([spread], dtype=torch.float64)]))


def float32(x):
    return x.to(torch.float32).to(torch.float64)


def tensor(label, spec):
    size = torch.Size(spec["shape"]).numel()
    u = (2 * (hashes(label, size, spec.get("salts")) >> 22) - (LEVELS - 1)).to(torch.float64) / LEVELS
    value = spec["center"] + spec["spread"] * u
    if spec.get("largest"):
        value[size // 2] = spec["spread"]
    return float32(value).reshape(spec["shape"])


def labels(label, count, classes):
    return hashes(label, count) % classes


SAMPLES = 24  # generate.py has fewer of deep networks, which have many tensors


def sample(size):
    """The elements that a file keeps of a tensor: all, or size // 2 and scattered ones."""
    if size <= SAMPLES:
        return torch.arange(size)
    return torch.cat([torch.tensor([size // 2]), mix(torch.arange(SAMPLES - 1)) % size])


def summary(x):
    """Sampled elements, largest magnitude, and the sum with signs + where mix(i) is odd, - elsewhere."""
    x = x.detach().reshape(-1)
    signs = 2 * (mix(torch.arange(len(x))) & 1) - 1
    return {
        "values": x[sample(len(x))].tolist(),
        "max": x.abs().max().item(),
        "sum": (x * signs).sum().item(),
    }
