"""ResNet-20 of Brevitas' layers, as its user would write it: weights and activations of 2 bits, or of 1.

Where batch norms and quantizers stand is as in the plain ResNet; the first and the last layer are in full
precision. A quantizer's scale is learnt from values that its first steps collect (300 unless said); here it
collects in the first steps of the warm-up only, so that what is measured is a step of the long run.
"""

from brevitas.nn import QuantConv2d, QuantIdentity, QuantReLU
from brevitas.quant.binary import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from torch import nn

COLLECTING_STEPS = 5


def convolution(bits, inputs, outputs, size, stride=1):
    quantizer = (
        dict(weight_quant=SignedBinaryWeightPerTensorConst) if bits == 1 else dict(weight_bit_width=bits)
    )
    layer = QuantConv2d(inputs, outputs, size, stride, padding=size // 2, bias=False, **quantizer)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


def activation(bits):
    """Quantized, so that the layers after it take codes."""
    if bits == 1:
        return QuantIdentity(act_quant=SignedBinaryActPerTensorConst)
    return QuantReLU(bit_width=bits, collect_stats_steps=COLLECTING_STEPS)


class Block(nn.Module):
    def __init__(self, bits, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            convolution(bits, inputs, outputs, 3, stride),
            nn.BatchNorm2d(outputs),
            activation(bits),
            convolution(bits, outputs, outputs, 3),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = (
            nn.Identity()
            if stride == 1
            else nn.Sequential(convolution(bits, inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
        )
        self.activation = activation(bits)

    def forward(self, x):
        return self.activation(self.body(x) + self.shortcut(x))


def brevitas_resnet20(bits, classes=10):
    inputs, blocks = 16, []
    for outputs, first_stride in [(16, 1), (32, 2), (64, 2)]:
        for i in range(3):
            blocks.append(Block(bits, inputs, outputs, 1 if i > 0 else first_stride))
            inputs = outputs
    stem = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), activation(bits)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes, bias=False)
    return nn.Sequential(*stem, *blocks, *head)
