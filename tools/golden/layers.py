"""Small networks of the layers that users ask for, as they are written in PyTorch, in double.

Each takes one forward and backward pass in training and one forward pass in
evaluation, in full precision and with the signs of QNN 1/1 as preset "redbit" has them: no scale, no rounding.
It writes `data/layers.json`, read by src/training/golden-layers.test.ts.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

import formula
import qnn
import steps

DATA = Path(__file__).parent / "data" / "layers.json"
BATCH, CLASSES = 4, 3


class Network:
    """Layers on [N, C, H, W]. Parameters are [rows, columns, inputs, outputs], as fewbit has them."""

    def __init__(self, bits, parameters, statistics, training):
        self.bits, self.parameters, self.statistics, self.training = bits, parameters, statistics, training
        self.updated = {}

    def quantized(self, name, x):
        """The input and the weights that a layer multiplies; the first layer takes images as they are."""
        x = x if name == "conv1" else qnn.activations(x, self.bits, "redbit")
        return x, qnn.weights(self.parameters[f"{name}.weight"], self.bits, "redbit")

    def biased(self, name, y):
        bias = self.parameters.get(f"{name}.bias")
        return y if bias is None else y + (bias[:, None, None] if y.dim() == 4 else bias)

    def convolution(self, name, x, stride=1, padding=0):
        x, w = self.quantized(name, x)
        if padding == "same":
            x, padding = same(x, w.shape[0], stride), 0
        return self.biased(name, F.conv2d(x, w.permute(3, 2, 0, 1), stride=stride, padding=padding))

    def linear(self, name, x):
        x, w = self.quantized(name, x)
        return self.biased(name, x @ w)

    def norm(self, name, x, epsilon, momentum):
        mean, variance = (self.statistics[f"{name}.{kind}"].clone() for kind in ("mean", "variance"))
        scale, shift = (self.parameters[f"{name}.{kind}"] for kind in ("scale", "shift"))
        y = F.batch_norm(x, mean, variance, scale, shift, self.training, momentum, epsilon)
        self.updated |= {f"{name}.mean": mean, f"{name}.variance": variance}
        return y

    def activation(self, x):
        if self.bits == 32:
            return torch.relu(x)
        return qnn.straight_through(x, x.clamp(-1, 1), x.abs() < 1)


def same(x, size, stride, value=0.0):
    """Padded as TensorFlow and ONNX's SAME_UPPER do it: ceil(extent / stride) outputs, an odd zero at the end."""
    sides = []
    for extent in reversed(x.shape[2:]):
        zeros = max((-(-extent // stride) - 1) * stride + size - extent, 0)
        sides += [zeros // 2, zeros - zeros // 2]
    return F.pad(x, sides, value=value)


def average(x, size, stride):
    """Over the pixels of the image alone."""
    ones = torch.ones_like(x[:1, :1])
    shares = [F.avg_pool2d(same(part, size, stride), size, stride) for part in (x, ones)]
    return shares[0] / shares[1]


def same_padding(net, x):
    x = net.convolution("conv1", x, 2, "same")
    x = net.activation(F.max_pool2d(same(x, 2, 1, -torch.inf), 2, 1))
    x = average(net.activation(net.convolution("conv2", x, 1, "same")), 2, 1)
    x = average(net.activation(net.convolution("conv3", x, 3, "same")), 3, 1)
    return net.linear("fc", x.flatten(1))


def biases(net, x):
    x = net.activation(net.convolution("conv1", x, padding=1))
    x = net.activation(F.avg_pool2d(net.convolution("conv2", x), 2))
    return net.linear("fc", x.flatten(1))


def free_parameters(net, x):
    y = net.convolution("conv1", x, padding=1)
    y = F.prelu(y, net.parameters["act1.slope"])
    y = y * net.parameters["gain"][:, None, None] + net.parameters["offset"]
    return net.linear("fc", y.flatten(1))


def inception(net, x):
    x = net.activation(net.convolution("conv1", x, padding=1))
    wide = net.activation(net.convolution("conv2", x, padding=1))
    x = torch.cat([x, net.activation(net.convolution("conv3", x)), wide], 1)
    return net.linear("fc", F.max_pool2d(x, 2).flatten(1))


def norms(net, x):
    x = net.activation(net.norm("bn1", net.convolution("conv1", x), 0.01, 0.25))
    return net.norm("bn2", net.linear("fc", x.flatten(1)), 0.1, 1)


def weight(*shape):
    return {"shape": list(shape), "center": 0, "spread": 0.4}


def vector(size, center=0.0, spread=0.3):
    return {"shape": [size], "center": center, "spread": spread}


# Build, the side of its images, parameters, statistics.
NETWORKS = {
    "same padding": (
        same_padding,
        8,
        {
            "conv1.weight": weight(3, 3, 2, 4),
            "conv2.weight": weight(2, 2, 4, 5),
            "conv3.weight": weight(2, 2, 5, 6),
            "fc.weight": weight(24, CLASSES),
        },
        {},
    ),
    "parameters": (
        free_parameters,
        4,
        {
            "conv1.weight": weight(3, 3, 2, 4),
            "act1.slope": vector(4, 0.25, 0.2),
            "gain": vector(4, 1),
            "offset": {"shape": [], "center": 0.1, "spread": 0.1},
            "fc.weight": weight(64, CLASSES),
        },
        {},
    ),
    "concatenation": (
        inception,
        4,
        {
            "conv1.weight": weight(3, 3, 2, 3),
            "conv2.weight": weight(3, 3, 3, 4),
            "conv3.weight": weight(1, 1, 3, 2),
            "fc.weight": weight(36, CLASSES),
        },
        {},
    ),
    "norms": (
        norms,
        4,
        {
            "conv1.weight": weight(3, 3, 2, 4),
            "bn1.scale": vector(4, 1),
            "bn1.shift": vector(4),
            "fc.weight": weight(16, CLASSES),
            "bn2.scale": vector(CLASSES, 1),
            "bn2.shift": vector(CLASSES),
        },
        {
            "bn1.mean": vector(4),
            "bn1.variance": vector(4, 1),
            "bn2.mean": vector(CLASSES),
            "bn2.variance": vector(CLASSES, 1),
        },
    ),
    "biases": (
        biases,
        7,
        {
            "conv1.weight": weight(3, 3, 2, 4),
            "conv1.bias": vector(4),
            "conv2.weight": weight(2, 2, 4, 5),
            "conv2.bias": vector(5),
            "fc.weight": weight(45, CLASSES),
            "fc.bias": vector(CLASSES),
        },
        {},
    ),
}


def golden(name, bits):
    build, side, parameters, statistics = NETWORKS[name]
    prefix = f"layers/{name}/{bits}"
    inputs = {"images": {"shape": [BATCH, side, side, 2], "center": 0.1, "spread": 1}}
    images = steps.make(prefix, inputs)["images"].permute(0, 3, 1, 2)
    labels = formula.labels(f"{prefix}/labels", BATCH, CLASSES)
    p, s = steps.make(prefix, parameters), steps.make(prefix, statistics)
    for value in p.values():
        value.requires_grad_()
    net = Network(bits, p, s, True)
    logits = build(net, images)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    with torch.no_grad():
        evaluation = build(Network(bits, p, s, False), images)
    return {
        "network": name,
        "bits": bits,
        "prefix": prefix,
        "start": {"inputs": inputs, "parameters": parameters, "statistics": statistics},
        "labels": labels.tolist(),
        "latent": {},
        "logits": formula.summary(logits),
        "evaluationLogits": formula.summary(evaluation),
        "loss": loss.item(),
        "gradients": {key: formula.summary(value.grad) for key, value in p.items()},
        "updated": {"statistics": {key: formula.summary(value) for key, value in net.updated.items()}},
    }


if __name__ == "__main__":
    cases = [golden(name, bits) for name in NETWORKS for bits in (32, 1)]
    DATA.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
