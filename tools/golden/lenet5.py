"""LeNet-5 of Baseline and DoReFa-Net in double, with what its inputs must keep away from."""

import torch
import torch.nn.functional as F

import dorefa

LAYERS = {  # weight shapes: convolutions [row, column, in, out], linear layers [in, out]
    "conv1": [5, 5, 1, 20],
    "conv2": [5, 5, 20, 50],
    "fc1": [800, 500],
    "fc2": [500, 250],
    "fc3": [250, 10],
}
NORMS = {"conv1": "bn1", "conv2": "bn2", "fc1": "bn3", "fc2": "bn4"}
EPSILON = 1e-4
MOMENTUM = 0.1


class Method:
    def __init__(self, weight_bits=32, activation_bits=32):
        self.baseline = weight_bits == 32 and activation_bits == 32
        self.weight_bits, self.activation_bits = weight_bits, activation_bits

    def quantizes(self, layer):
        return not self.baseline and layer not in ("conv1", "fc3")


class Boundaries:
    """Collects values that meet a boundary (a point where a derivative jumps), and how near they come to it."""

    def __init__(self):
        self.seen = []  # (layer, values, least distance per channel)

    def add(self, layer, x, distance):
        self.seen.append((layer, x.detach(), distance.detach().transpose(0, 1).flatten(1).amin(1)))


def forward(parameters, statistics, images, method, training, boundaries):
    """images [N, 28, 28, 1]; returns logits [N, 10] and the running statistics after the batch."""
    updated = {}

    def layer(name, x):
        w = parameters[f"{name}.weight"]
        if method.quantizes(name):
            w = dorefa.weights(w, method.weight_bits)
        return F.conv2d(x, w.permute(3, 2, 0, 1)) if w.dim() == 4 else x @ w

    def norm_relu(name, x):
        bn = NORMS[name]
        mean, variance = statistics[f"{bn}.mean"].clone(), statistics[f"{bn}.variance"].clone()
        scale, shift = parameters.get(f"{bn}.scale"), parameters.get(f"{bn}.shift")
        y = F.batch_norm(x, mean, variance, scale, shift, training, MOMENTUM, EPSILON)
        updated[f"{bn}.mean"], updated[f"{bn}.variance"] = mean, variance
        boundaries.add(name, y, y.abs())
        return torch.relu(y)

    def quantized(name, x):
        """The input of the layer after `name`; x >= 0."""
        if method.activation_bits == 32:
            return x
        tie = torch.where(x > 1, x - 1, dorefa.distance(x, method.activation_bits))
        boundaries.add(name, x, torch.minimum(tie, (x - 1).abs()))
        return dorefa.activations(x, method.activation_bits)

    x = images.permute(0, 3, 1, 2)
    for name in ("conv1", "conv2"):
        x = quantized(name, F.avg_pool2d(norm_relu(name, layer(name, x)), 2))
    x = quantized("fc1", norm_relu("fc1", layer("fc1", x.flatten(1))))  # channel, row, column
    x = norm_relu("fc2", layer("fc2", x))
    if method.activation_bits < 32:  # the last layer is in full precision, its input clipped but not rounded
        boundaries.add("fc2", x, (x - 1).abs())
        x = dorefa.Clip.apply(x)
    return layer("fc3", x), updated
