"""VGG-16 for CIFAR-10: configuration D of Simonyan and Zisserman 2014 with batch norm, classifier 512-4096-4096-10."""

import torch
from torch import nn
from torch.nn import functional as F

WIDTHS = [64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool"]
FEATURES = [512, 4096, 4096]


class Normalised(nn.Module):
    """An inner layer with what stands around it, and perhaps 2x2 max pooling."""

    def __init__(self, method, layer, norm, pool):
        super().__init__()
        self.method, self.layer, self.norm, self.pool = method, layer, norm, pool

    def forward(self, x):
        method, layer = self.method, self.layer
        before = method.order == "before"
        x = method.activations(self.norm(x) if before else x)
        x = F.conv2d(x, method.weights(layer), None, 1, 1)
        x = x if before else method.nonlinearity(self.norm(x))
        return F.max_pool2d(x, 2) if self.pool else x


def uniform(layer):
    """U(+-1/sqrt(fan in)), PyTorch's own of a layer without bias written out."""
    bound = layer.weight[0].numel() ** -0.5
    nn.init.uniform_(layer.weight, -bound, bound)
    return layer


class VGG16(nn.Module):
    def __init__(self, method, classes=10):
        super().__init__()
        self.method = method
        before = method.order == "before"
        layers, inputs = [], 3
        for i, outputs in enumerate(WIDTHS):
            if outputs == "pool":
                continue
            layer = uniform(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
            norm = nn.BatchNorm2d(inputs if before and layers else outputs)
            layers.append((layer, norm, WIDTHS[i + 1] == "pool"))
            inputs = outputs
        self.conv, self.bn, _ = layers[0]
        self.convolutions = nn.Sequential(*(Normalised(method, *layer) for layer in layers[1:]))
        self.fc1, self.fc2, self.fc3 = (
            uniform(nn.Linear(n, m, bias=False)) for n, m in zip(FEATURES, [*FEATURES[1:], classes])
        )
        # XNOR-Net's signs see normalised values; the other methods have no batch norm in the classifier.
        self.norms = nn.ModuleList(nn.BatchNorm1d(n) for n in FEATURES[:2]) if before else None
        self.inner = [layer for layer, _, _ in layers[1:]] + [self.fc1, self.fc2]
        self.outer = [self.conv, self.fc3]
        method.prepare(self.inner)

    def forward(self, x):
        method = self.method
        x = method.nonlinearity(self.bn(F.conv2d(x, method.outer_weights(self.conv), None, 1, 1)))
        x = torch.flatten(self.convolutions(x), 1)
        for i, layer in enumerate((self.fc1, self.fc2)):
            x = F.linear(method.activations(self.norms[i](x) if self.norms else x), method.weights(layer))
            x = F.dropout(x if self.norms else method.nonlinearity(x), method.dropout, self.training)
        return F.linear(method.last_input(x), method.outer_weights(self.fc3))
