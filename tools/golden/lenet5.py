"""LeNet-5 of every method in double, with what its inputs must keep away from."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

import dorefa
import qnn
import ternary
import xnor
from functions import clip

LAYERS = {  # weight shapes: convolutions [row, column, in, out], linear layers [in, out]
    "conv1": [5, 5, 1, 20],
    "conv2": [5, 5, 20, 50],
    "fc1": [800, 500],
    "fc2": [500, 250],
    "fc3": [250, 10],
}
HIDDEN = ("conv1", "conv2", "fc1", "fc2")
EPSILON = 1e-4
MOMENTUM = 0.1


@dataclass(frozen=True)
class Method:
    name: str = "baseline"
    weight_bits: int = 32
    activation_bits: int = 32
    preset: str = "paper"
    relu_after_convolution: bool = False  # of XNOR-Net, as the next one
    input_scale: bool = False

    @property
    def pooling(self):
        return "average" if self.name in ("baseline", "dorefa") else "maximum"

    @property
    def own(self):
        """Names of the trained scalars of each quantized layer."""
        return ("positive", "negative") if self.name == "ttq" and self.weight_bits < 32 else ()

    @property
    def exact(self):
        """Whether products of quantized values are exact in float32: equal sums are equal in any order."""
        scaled = self.preset == "redbit" and self.weight_bits > 1
        return self.name == "qnn" and not scaled and max(self.weight_bits, self.activation_bits) < 32

    @property
    def prepares(self):
        return self.name == "xnor"

    @property
    def constrains(self):
        return self.name == "qnn" and self.preset == "paper" and self.weight_bits < 32

    @property
    def norms(self):
        """The batch norms and the layer whose output each of them takes, pooled or not."""
        layers = ("conv1", "conv1", "conv2", "fc1") if self.name == "xnor" else HIDDEN
        return {f"bn{i + 1}": layer for i, layer in enumerate(layers)}

    def norm_channels(self, name):
        flattened = self.name == "xnor" and name == "bn3"
        return LAYERS["fc1"][0] if flattened else LAYERS[self.norms[name]][-1]

    def quantizes(self, layer):
        """Whether the weights of the layer are quantized."""
        if self.name in ("qnn", "twn"):
            return self.weight_bits < 32
        return self.weight_bits < 32 and not self.is_edge(layer)

    @staticmethod
    def is_edge(layer):
        """Whether it is the first or the last layer, of LeNet-5 and VGG-16 or of a ResNet."""
        return layer in ("conv1", "fc3", "fc")

    def latent(self, parameter):
        """Whether a parameter holds the latent weights of quantized ones."""
        return parameter.endswith(".weight") and self.quantizes(parameter.removesuffix(".weight"))

    def weights(self, layer, parameters):
        w = parameters[f"{layer}.weight"]
        if not self.quantizes(layer):
            return w
        if self.name == "twn":
            return ternary.twn_weights(w, self.preset)
        if self.name == "ttq":
            return ternary.ttq_weights(w, *(parameters[f"{layer}.own.{name}"] for name in self.own))
        quantizer = {"qnn": qnn, "dorefa": dorefa, "xnor": xnor}[self.name]
        return quantizer.weights(w, self.weight_bits, self.preset)


class Enough(Exception):
    """All boundaries of the layer have been met."""


class Boundaries:
    """Collects values that depend on a layer and meet a boundary, and how near they come to it.

    At a boundary a derivative jumps, or the value itself (`jump`), which matters without gradients too.
    """

    def __init__(self, until=None):
        self.until = until
        self.seen = []

    def add(self, layer, x, distance, jump=False, reach=2):
        """x beyond `reach` is far from every boundary. Layers come in their order."""
        if layer == self.until:
            per_channel = distance.detach().reshape(len(x), LAYERS[layer][-1], -1).amin((0, 2))
            self.seen.append((jump, x.detach(), per_channel, reach))
        elif self.seen:
            raise Enough


class Network:
    def __init__(self, parameters, statistics, method, training, boundaries):
        self.parameters, self.statistics, self.method = parameters, statistics, method
        self.training, self.boundaries = training, boundaries
        self.updated = {}

    def layer(self, name, x):
        w = self.method.weights(name, self.parameters)
        return F.conv2d(x, w.permute(3, 2, 0, 1)) if w.dim() == 4 else x @ w

    def norm(self, name, x):
        mean, variance = (self.statistics[f"{name}.{kind}"].clone() for kind in ("mean", "variance"))
        scale, shift = (self.parameters.get(f"{name}.{kind}") for kind in ("scale", "shift"))
        y = F.batch_norm(x, mean, variance, scale, shift, self.training, MOMENTUM, EPSILON)
        self.updated[f"{name}.mean"], self.updated[f"{name}.variance"] = mean, variance
        return y

    def relu(self, layer, x):
        """ReLU, and the pooling after a convolution."""
        self.boundaries.add(layer, *self.peaks(x, lambda y: y.abs()))
        return self.pool(layer, torch.relu(x), flat=(0,))

    def hardtanh(self, layer, x):
        """The same with QNN's activation."""
        self.boundaries.add(layer, *self.peaks(x, lambda y: (y.abs() - 1).abs()))
        return self.pool(layer, qnn.nonlinearity(x, self.method.activation_bits), flat=(-1, 1))

    def peaks(self, x, distance):
        """Where the largest of a window takes the gradient, only its distance counts."""
        pooled = x.dim() == 4 and self.method.pooling == "maximum"
        return x, distance(F.max_pool2d(x, 2) if pooled else x)

    def pool(self, layer, x, flat=()):
        """Values of `flat` pass no gradient, so that it does not matter which of them is the largest."""
        if x.dim() == 2:
            return x
        if self.method.pooling == "average":
            return F.avg_pool2d(x, 2)
        windows = x.detach().unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
        first, second = windows.topk(2).values.unbind(-1)
        gap = (first - second) / 2
        for value in flat:
            gap = torch.where(first == value, torch.inf, gap)
        if self.method.exact and layer == "conv2":  # the first of equals, whoever computes it
            gap = torch.where(gap == 0, torch.inf, gap)
        self.boundaries.add(layer, x, gap, reach=torch.inf)
        return F.max_pool2d(x, 2)

    def plain(self, x):
        """Convolution or linear layer, batch norm, activation, pooling; quantizers stand before a layer."""
        activation = self.relu if self.relus else self.hardtanh
        for i, name in enumerate(HIDDEN):
            x = activation(name, self.norm(f"bn{i + 1}", self.layer(name, x)))
            x = self.quantized(name, x)
            if name == "conv2":
                x = x.flatten(1)  # channel, row, column
        return self.layer("fc3", x)

    @property
    def relus(self):
        return self.method.name != "qnn" or self.method.activation_bits == 32

    def quantized(self, layer, x):
        """The input of the layer after `layer`."""
        bits, preset = self.method.activation_bits, self.method.preset
        if bits == 32:
            return x
        if self.method.name == "qnn":
            self.boundaries.add(layer, x, qnn.distance(x, bits), jump=True)
            return qnn.activations(x, bits, preset)
        last = (
            layer == "fc2"
        )  # what follows is in full precision, its input clipped in the paper but not rounded
        if last and preset == "redbit":
            return x
        self.boundaries.add(layer, x, (x - 1).abs())
        if last:
            return clip(x, 0, 1)
        self.boundaries.add(layer, x, dorefa.distance(x, bits, preset), jump=True)
        return dorefa.activations(x, bits, preset)

    def xnor(self, x):
        """A first layer as usual; then batch norm, sign, layer, perhaps ReLU, pooling."""
        x = self.relu("conv1", self.norm("bn1", self.layer("conv1", x)))
        x = self.binary("conv2", "conv1", self.norm("bn2", x))
        x = self.binary("fc1", "conv2", self.norm("bn3", x.flatten(1)))  # channel, row, column
        x = self.binary("fc2", "fc1", self.norm("bn4", x))
        return self.layer("fc3", x)

    def binary(self, layer, before, x):
        method = self.method
        y = x
        if method.activation_bits == 1:
            self.boundaries.add(before, x, x.abs(), jump=True)
            self.boundaries.add(before, x, (x.abs() - 1).abs())
            y = xnor.activations(x, 1, method.preset)
        y = self.layer(layer, y)
        if method.input_scale:
            y = y * xnor.input_scale(x, LAYERS[layer][0])
        relu = method.relu_after_convolution or method.activation_bits == 32
        return self.relu(layer, y) if relu else self.pool(layer, y)


def prepared(parameters, method):
    """The parameters that a step, and an evaluation, works with."""
    if not method.prepares:
        return parameters
    return {name: xnor.prepare(p) if method.latent(name) else p for name, p in parameters.items()}


def constrained(parameters, method):
    """The parameters after an update: QNN clamps its latent weights to [-1, 1]."""
    if not method.constrains:
        return parameters
    return {name: p.clamp(-1, 1) if method.latent(name) else p for name, p in parameters.items()}


def forward(parameters, statistics, images, method, training, boundaries):
    """Of prepared parameters and images [N, 28, 28, 1].

    Returns logits [N, 10] and the running statistics after the batch.
    """
    net = Network(parameters, statistics, method, training, boundaries)
    x = images.permute(0, 3, 1, 2)
    return (net.xnor(x) if method.name == "xnor" else net.plain(x)), net.updated
