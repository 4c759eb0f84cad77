"""AlexNet and ResNets for ImageNet in the block orders of the methods and the forms of both presets, whole and narrow.

Whole networks take the tests seconds each, where narrow ones of the same layers take a moment: so each is whole once.
"""

import torch
import torch.nn.functional as F

import blocks
import deep
import qnn
from lenet5 import Method

BATCH = 8
WIDTHS = [8, 12, 10, 12, 8], 32  # of the convolutions, and of the first two fully connected layers
NARROWEST = [4, 6, 4, 6, 4], 12
WHOLE = [96, 256, 384, 384, 256], 4096
NARROW = 4  # channels of the first stage of ResNet-18, where the whole has 64

POOL = dict(size=3, stride=2)
CLASSIFIER_DROPOUT = "baseline", "twn", "ttq"


def alexnet(preset, widths):
    channels, features = widths

    def build(net, x):
        for i, (kernel, stride, padding, pooled) in enumerate(
            [
                (11, 4, 2 if preset == "paper" else 0, True),
                (5, 1, 2, True),
                (3, 1, 1, False),
                (3, 1, 1, False),
                (3, 1, 1, True),
            ],
            1,
        ):
            layer = lambda x: net.convolution(f"conv{i}", x, channels[i - 1], kernel, stride, padding)
            norm = lambda x: net.norm(f"bn{i}", x, 1e-4, shift=shift_of(net.method, i, pooled))
            pool = lambda x, after: net.max_pool(x, **POOL, after=after) if pooled else x
            x = convolved(net, x, i, layer, norm, pool)
        return classified(net, x.flatten(1), features)

    return build


# Of nine normalised values the largest is positive: the activation would never be 0, and the norm after it undo the shift.
POOLED = -1.2


def shift_of(method, i, pooled):
    """Norms that are pooled afterwards: all but XNOR-Net's, and of TTQ the last."""
    pools = pooled and (method.name not in ("xnor", "ttq") or (method.name == "ttq" and i == 5))
    return POOLED if pools else 0.1


def convolved(net, x, i, layer, norm, pool):
    """A convolution with its norm, its pooling and its activation, in the order of the method."""
    as_it_is = lambda value: value
    after = torch.relu if net.relus else lambda value: qnn.nonlinearity(value, net.method.activation_bits)
    if net.method.name == "xnor" and i > 1:
        return pool(net.after_binary(layer(norm(x))), as_it_is)
    if net.method.name == "xnor" or (net.method.name == "ttq" and i < 3):
        return net.activation(norm(pool(layer(x), as_it_is)))
    if net.method.name == "ttq":
        return net.activation(pool(layer(norm(x)), after))
    return net.activation(pool(norm(layer(x)), after))


def classified(net, x, features, classes=10):
    if net.method.name == "xnor":
        x = net.after_binary(net.linear("fc1", net.norm("bn6", x, 1e-4), features))
        x = net.after_binary(net.linear("fc2", net.norm("bn7", x, 1e-4), features))
        return net.linear("fc3", net.norm("bn8", x, 1e-3), classes)
    for name, bn in (("fc1", "bn6"), ("fc2", "bn7")):
        x = net.activation(net.norm(bn, net.linear(name, x, features), 1e-4))
        if net.method.name in CLASSIFIER_DROPOUT:
            x = net.dropout(x, 0.5)
    return net.norm("bn8", net.linear("fc3", x, classes), 1e-3)


def resnet18(preset, narrowest):
    def build(net, x):
        block = {"dorefa": deep.preactivated, "xnor": deep.binary}.get(net.method.name, deep.basic)
        x = stem(net, x, narrowest)
        for stage in range(4):
            for i in range(2):
                stride = 2 if stage > 0 and i == 0 else 1
                x = block(net, f"stage{stage + 1}.block{i + 1}", x, narrowest * 2**stage, stride)
        # Adaptive, or over 7x7 as in the framework, if the map is as large.
        x = x.mean((2, 3)) if preset == "paper" or x.shape[2] < 7 else F.avg_pool2d(x, 7).flatten(1)
        if net.method.name == "qnn":
            x = net.activation(x)
        return net.linear("fc", x, 10, activated=net.method.name != "dorefa")

    return build


def stem(net, x, channels):
    x = net.activation(net.norm("bn1", net.convolution("conv1", x, channels, 7, 2, 3), shift=POOLED))
    return net.max_pool(x, **POOL, padding=1)


ADAM = "adam", dict(lr=0.01)
SGD = "sgd", dict(lr=0.1, momentum=0.9, weight_decay=1e-4)
METHODS = {
    "baseline": (Method(), SGD),
    "dorefa-2-2": (Method("dorefa", 2, 2), SGD),
    "qnn-2-2": (Method("qnn", 2, 2), ADAM),
    "xnor-1-1": (Method("xnor", 1, 1), ADAM),
    "xnor-1-32": (Method("xnor", 1, 32, relu_after_convolution=True), ADAM),
    "twn-2-32": (Method("twn", 2, 32), ADAM),
    "ttq-2-32": (Method("ttq", 2, 32), ADAM),
    "baseline-redbit": (Method(preset="redbit"), SGD),
    "dorefa-2-2-redbit": (Method("dorefa", 2, 2, "redbit"), SGD),
    "qnn-1-1-redbit": (Method("qnn", 1, 1, "redbit"), ADAM),
    "xnor-1-1-redbit": (Method("xnor", 1, 1, "redbit", relu_after_convolution=True), ADAM),
    "twn-2-32-redbit": (Method("twn", 2, 32, "redbit"), ADAM),
    "ttq-2-32-redbit": (Method("ttq", 2, 32, "redbit"), SGD),
}
# The last map of AlexNet is 2x2, that of ResNet-18 3x3, and 8x8 in preset redbit with Baseline.
SIDES = {
    "alexnet": {"paper": 112, "redbit": 115},
    "resnet18": {"paper": 67, "redbit": 67},
}
BUILDS = {"alexnet": alexnet, "resnet18": resnet18}
NO_UPDATE = None, {}


def runs():
    """Name, network, what it is made with, method, optimizer, batch, side of the images."""
    for network, narrow in (("alexnet", WIDTHS), ("resnet18", NARROW)):
        for name, (method, optimizer) in METHODS.items():
            side = 227 if (network, name) == ("resnet18", "baseline-redbit") else SIDES[network][method.preset]
            batch = 2 if side == 227 else BATCH
            yield f"{network}-{name}", network, narrow, method, optimizer, batch, side
    yield "alexnet-whole", "alexnet", WHOLE, Method(preset="redbit"), NO_UPDATE, 4, 67
    yield "resnet18-whole", "resnet18", 64, Method("qnn", 1, 1, "redbit"), NO_UPDATE, 2, 67


def stem_block(net, x):
    """The beginning of ResNet-18, with a convolution after its pooling."""
    x = stem(net, x, 16)
    if net.method.name == "xnor":
        x = net.after_binary(net.convolution("conv2", net.norm("bn2", x), 8))
    else:
        x = net.activation(net.norm("bn2", net.convolution("conv2", x, 8)))
    return net.linear("fc", x.flatten(1), 10)


def vgg_block(net, x):
    """Two convolutions of VGG-16 with a pooling, and its classifier: bare sums, which only XNOR-Net's authors normalise."""
    method = net.method
    binary = method.name == "xnor"
    x = net.activation(net.norm("bn1", net.convolution("conv1", x, 8)))
    if binary:
        x = net.after_binary(net.convolution("conv2", net.norm("bn2", x), 8))
    else:
        x = net.activation(net.norm("bn2", net.convolution("conv2", x, 8)))
    x = net.max_pool(x).flatten(1)
    for name, features in (("fc1", 24), ("fc2", 16)):
        if binary and method.preset == "paper" and method.activation_bits == 1:
            x = net.norm(f"{name}.norm", x)
        x = net.linear(name, x, features)
        x = net.after_binary(x) if binary else net.activation(x)
        if method.name in ("twn", "ttq"):
            x = net.dropout(x, 0.5)
    return net.linear("fc3", x, 10)


def block_cases():
    """Kind, method, step, for float32: parts of VGG-16, the beginning of ResNet-18, a narrow AlexNet with all of its layers."""
    for name, method in blocks.METHODS.items():
        yield "vgg", method, blocks.block_step(f"vgg-{name}", vgg_block, method, BATCH)
        step = blocks.block_step(f"stem-{name}", stem_block, method, side=16, shift=POOLED)
        yield "stem", method, step
        side, build = SIDES["alexnet"][method.preset], alexnet(method.preset, NARROWEST)
        shift = shift_of(method, 1, True)
        yield "alexnet", method, blocks.block_step(f"alexnet-{name}", build, method, BATCH, side, shift)
