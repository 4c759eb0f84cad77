"""ResNets of depth 6n + 2 for CIFAR-10 (He et al. 2015, section 4.2), with 1x1 convolutions where a stage begins."""

from torch import nn
from torch.nn import functional as F


def convolution(inputs, outputs, size, stride=1):
    layer = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")  # N(0, sqrt(2 / (k^2 outputs)))
    return layer


class Block(nn.Module):
    """Two convolutions and a shortcut; where the batch norms stand depends on the method's order."""

    def __init__(self, method, inputs, outputs, stride):
        super().__init__()
        self.method = method
        norm_after = method.order == "after"
        self.conv1 = convolution(inputs, outputs, 3, stride)
        self.bn1 = nn.BatchNorm2d(outputs if norm_after else inputs)
        self.conv2 = convolution(outputs, outputs, 3)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.layers = [self.conv1, self.conv2]
        self.downsamples = stride > 1
        if self.downsamples:
            self.conv3 = convolution(inputs, outputs, 1, stride)
            self.bn3 = nn.BatchNorm2d(inputs if method.order == "before" else outputs)
            self.layers.append(self.conv3)

    def convolve(self, layer, x):
        return F.conv2d(
            self.method.activations(x), self.method.weights(layer), None, layer.stride, layer.padding
        )

    def forward(self, x):
        return {"after": self.after, "before": self.before, "pre-activation": self.pre_activation}[
            self.method.order
        ](x)

    def after(self, x):
        act = self.method.nonlinearity
        y = act(self.bn1(self.convolve(self.conv1, x)))
        y = self.bn2(self.convolve(self.conv2, y))
        return act(y + (self.bn3(self.convolve(self.conv3, x)) if self.downsamples else x))

    def before(self, x):
        y = self.convolve(self.conv1, self.bn1(x))
        y = self.convolve(self.conv2, self.bn2(y))
        return y + (self.convolve(self.conv3, self.bn3(x)) if self.downsamples else x)

    def pre_activation(self, x):
        y = self.convolve(self.conv1, F.relu(self.bn1(x)))
        y = self.convolve(self.conv2, F.relu(self.bn2(y)))
        return y + (self.bn3(self.convolve(self.conv3, x)) if self.downsamples else x)


class ResNet(nn.Module):
    def __init__(self, method, depth=20, classes=10):
        super().__init__()
        self.method = method
        self.conv = convolution(3, 16, 3)
        self.bn = nn.BatchNorm2d(16)
        stages = [(16, 1), (32, 2), (64, 2)]
        inputs, blocks = 16, []
        for outputs, first_stride in stages:
            for i in range((depth - 2) // 6):
                blocks.append(Block(method, inputs, outputs, 1 if i > 0 else first_stride))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(inputs, classes, bias=False)
        self.inner = [layer for block in blocks for layer in block.layers]
        self.outer = [self.conv, self.fc]
        method.prepare(self.inner)

    def forward(self, x):
        method = self.method
        x = F.conv2d(x, method.outer_weights(self.conv), None, 1, 1)
        x = self.blocks(method.nonlinearity(self.bn(x)))
        x = x.mean((2, 3))
        if method.order == "after":
            x = method.nonlinearity(x)  # once more after the pool; ReLU's values are not negative already
        # A sum that nothing activated is not limited either.
        x = x if method.order == "pre-activation" else method.last_input(x)
        return F.linear(x, method.outer_weights(self.fc))
