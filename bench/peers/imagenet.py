"""Networks for ImageNet in the form of today: AlexNet with batch norm, and ResNet-18 (He et al. 2015, table 1)."""

import torch
from torch import nn
from torch.nn import functional as F

from resnet import Block, convolution
from vgg import uniform


class AlexNet(nn.Module):
    """Baseline, DoReFa-Net and XNOR-Net; batch norm also after the last layer."""

    # Channels, side of the kernel, stride, padding, and whether a maximum over 3x3 follows.
    LAYERS = [
        (96, 11, 4, 2, True),
        (256, 5, 1, 2, True),
        (384, 3, 1, 1, False),
        (384, 3, 1, 1, False),
        (256, 3, 1, 1, True),
    ]

    def __init__(self, method, classes, side):
        super().__init__()
        self.method = method
        self.before = method.order == "before"
        convolutions, norms, channels = [], [], 3
        for i, (outputs, size, stride, padding, pooled) in enumerate(self.LAYERS):
            layer = uniform(nn.Conv2d(channels, outputs, size, stride, padding, bias=False))
            convolutions.append(layer)
            norms.append(nn.BatchNorm2d(channels if self.before and i > 0 else outputs, eps=1e-4))
            side = (side + 2 * padding - size) // stride + 1
            side = (side - 3) // 2 + 1 if pooled else side
            channels = outputs
        features = [channels * side * side, 4096, 4096, classes]
        linears = [uniform(nn.Linear(n, m, bias=False)) for n, m in zip(features, features[1:])]
        normed = features[:-1] if self.before else features[1:]
        self.convolutions, self.norms = nn.ModuleList(convolutions), nn.ModuleList(norms)
        self.linears = nn.ModuleList(linears)
        self.classifier_norms = nn.ModuleList(
            nn.BatchNorm1d(n, eps=1e-3 if i == 2 else 1e-4) for i, n in enumerate(normed)
        )
        self.inner, self.outer = convolutions[1:] + linears[:2], [convolutions[0], linears[2]]
        self.rate = 0.5 if type(method).__name__ in ("Baseline", "TWN", "TTQ") else 0.0
        method.prepare(self.inner)

    def convolve(self, i, x):
        method, layer, norm = self.method, self.convolutions[i], self.norms[i]
        pool = (lambda x: F.max_pool2d(x, 3, 2)) if self.LAYERS[i][4] else (lambda x: x)
        multiply = lambda x, w: F.conv2d(x, w, None, layer.stride, layer.padding)
        if self.before and i > 0:
            return pool(multiply(method.activations(norm(x)), method.weights(layer)))
        x = multiply(x, method.outer_weights(layer)) if i == 0 else multiply(method.activations(x), method.weights(layer))
        # The authors of XNOR-Net pool the first sums as they are.
        return method.nonlinearity(norm(pool(x)) if self.before else pool(norm(x)))

    def classify(self, i, x):
        method, layer, norm = self.method, self.linears[i], self.classifier_norms[i]
        last = i == 2
        if self.before:
            x = norm(x)
        if last:
            x = F.linear(method.last_input(x), method.outer_weights(layer))
        else:
            x = F.linear(method.activations(x), method.weights(layer))
        if self.before:
            return x
        x = norm(x)
        return x if last else F.dropout(method.nonlinearity(x), self.rate, self.training)

    def forward(self, x):
        for i in range(5):
            x = self.convolve(i, x)
        x = torch.flatten(x, 1)
        for i in range(3):
            x = self.classify(i, x)
        return x


class ResNet18(nn.Module):
    def __init__(self, method, classes, side):
        super().__init__()
        self.method = method
        self.conv = convolution(3, 64, 7, 2)
        self.bn = nn.BatchNorm2d(64)
        blocks, inputs = [], 64
        for outputs, first_stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [Block(method, inputs, outputs, first_stride), Block(method, outputs, outputs, 1)]
            inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.fc = uniform(nn.Linear(512, classes, bias=False))
        self.inner = [layer for block in blocks for layer in block.layers]
        self.outer = [self.conv, self.fc]
        method.prepare(self.inner)

    def forward(self, x):
        method = self.method
        x = F.conv2d(x, method.outer_weights(self.conv), None, 2, 3)
        x = F.max_pool2d(self.stem(x), 3, 2, 1)
        x = self.blocks(x).mean((2, 3))
        # A sum that nothing activated is not limited either.
        x = x if method.order in ("pre-activation", "before") else method.last_input(x)
        return F.linear(x, method.outer_weights(self.fc))

    def stem(self, x):
        return self.method.nonlinearity(self.bn(x))
