"""ResNets and VGG-16 of every method in double, and training steps of them from states made by formula.

No images keep all values of so deep a network clear of boundaries in float32. So whole steps are compared in
double, where a value within 1e-12 of a boundary does not occur; `blocks.py` has what float32 is compared with.
"""

import torch
import torch.nn.functional as F

import dorefa
import formula
import philox
import qnn
import steps
import xnor
from functions import clip, straight_through
from lenet5 import MOMENTUM

EPSILON = 1e-5


class Network:
    """Builds on [N, C, H, W]. Without `parameters` it collects the shapes of those that it meets."""

    def __init__(self, method, parameters=None, statistics=None, training=True, boundary=None):
        self.boundary = boundary or (lambda *_, **__: None)
        self.method, self.parameters, self.statistics = method, parameters, statistics
        self.training = training
        self.shapes, self.channels, self.shifts, self.updated = {}, {}, {}, {}
        self.dropouts = 0
        self.relus = method.name != "qnn" or method.activation_bits == 32

    def weights(self, name, shape):
        self.shapes[name] = shape
        if self.parameters is None:
            return torch.zeros(shape, dtype=torch.float64)
        return self.method.weights(name, self.parameters)

    def quantized(self, name, x):
        """The input of a layer that is not the first."""
        method, bits = self.method, self.method.activation_bits
        if bits == 32:
            return x
        if method.name == "qnn":
            # A bare sum of codes, without a scale, is exact in float32, and its ties are everybody's.
            is_sum = x * 16 == (x * 16).round()
            self.boundary(x, torch.where(is_sum, torch.inf, qnn.distance(x, bits)), jump=True)
            return qnn.activations(x, bits, method.preset)
        if method.name == "dorefa":
            if method.is_edge(name) and method.preset == "redbit":
                return x
            self.boundary(x, torch.minimum(x.abs(), (x - 1).abs()), exact=(0,))
            if method.is_edge(name):
                return clip(x, 0, 1)
            self.boundary(x, dorefa.distance(x, bits, method.preset), jump=True)
            return dorefa.activations(x, bits, method.preset)
        if method.is_edge(name):
            return x
        self.boundary(x, x.abs(), jump=True, exact=(0,))
        self.boundary(x, (x.abs() - 1).abs())
        return xnor.activations(x, bits, method.preset)

    def convolution(self, name, x, channels, kernel=3, stride=1, padding=None):
        padding = kernel // 2 if padding is None else padding
        x = x if name == "conv1" else self.quantized(name, x)
        w = self.weights(name, [kernel, kernel, x.shape[1], channels]).permute(3, 2, 0, 1)
        return self.exact(name, lambda x, w: F.conv2d(x, w, stride=stride, padding=padding), x, w)

    def linear(self, name, x, features, activated=True):
        w = self.weights(name, [x.shape[1], features])
        return self.exact(name, torch.matmul, self.quantized(name, x) if activated else x, w)

    def exact(self, name, product, x, w):
        """A product of codes has no rounding errors, so that sums that are equal, or 0, are so for everybody."""
        method, y = self.method, product(x, w)
        if method.name not in ("dorefa", "xnor") or method.is_edge(name) or method.activation_bits == 32:
            return y
        if method.name == "dorefa":
            n, m = (2**bits - 1 for bits in (method.activation_bits, method.weight_bits))
            return straight_through(y, product((n * x).round(), (m * w).round()) / (n * m))
        scale = w.abs().amax((1, 2, 3))[:, None, None] if w.dim() == 4 else w.abs().amax(0)
        return straight_through(y, scale * product(x, torch.sign(w)))

    def norm(self, name, x, epsilon=EPSILON, shift=0.1):
        """`shift`: about where the values are shifted to."""
        self.channels[name], self.shifts[name] = x.shape[1], shift
        if self.parameters is None:
            return x
        mean, variance = (self.statistics[f"{name}.{kind}"].clone() for kind in ("mean", "variance"))
        scale, shift = (self.parameters[f"{name}.{kind}"] for kind in ("scale", "shift"))
        y = F.batch_norm(x, mean, variance, scale, shift, self.training, MOMENTUM, epsilon)
        self.updated[f"{name}.mean"], self.updated[f"{name}.variance"] = mean, variance
        return y

    def relu(self, x):
        """A value that is 0 by exact products is 0 for everybody, and passes no gradient."""
        self.boundary(x, x.abs(), exact=(0,))
        return torch.relu(x)

    def activation(self, x):
        if self.relus:
            return self.relu(x)
        self.boundary(x, (x.abs() - 1).abs(), exact=(-1, 1))
        return qnn.nonlinearity(x, self.method.activation_bits)

    def after_binary(self, x):
        """What follows a quantized layer of XNOR-Net, where others have their activation."""
        method = self.method
        return self.relu(x) if method.relu_after_convolution or method.activation_bits == 32 else x

    def max_pool(self, x, size=2, stride=2, padding=0, after=lambda value: value):
        """Of equals the first takes the gradient. What `after`, the activation that follows, makes equal passes none."""
        padded = F.pad(x.detach(), (padding,) * 4, value=-torch.inf)
        windows = padded.unfold(2, size, stride).unfold(3, size, stride).flatten(4)
        first, second = (after(value) for value in windows.topk(2).values.unbind(-1))
        self.boundary(first, torch.where(first == second, torch.inf, (first - second) / 2))
        return F.max_pool2d(x, size, stride, padding)

    def dropout(self, x, rate):
        """Zeros where the numbers of the step, whose key is 0, are below the rate."""
        numbers = philox.uniforms(2**16 + self.dropouts, x.numel()).reshape(x.shape)
        self.dropouts += 1
        return torch.where(numbers >= rate, x / (1 - rate), 0.0) if self.training else x


def resnet(net, x, depth):
    block = {"dorefa": preactivated, "xnor": binary}.get(net.method.name, basic)
    x = net.activation(net.norm("bn1", net.convolution("conv1", x, 16)))
    for stage, channels in enumerate((16, 32, 64)):
        for i in range((depth - 2) // 6):
            stride = 2 if stage > 0 and i == 0 else 1
            x = block(net, f"stage{stage + 1}.block{i + 1}", x, channels, stride)
    x = x.mean((2, 3))
    if net.method.name == "qnn":
        x = net.activation(x)
    return net.linear("fc", x, 10, activated=net.method.name != "dorefa")


def is_identity(x, channels, stride):
    return stride == 1 and x.shape[1] == channels


def basic(net, name, x, channels, stride):
    y = net.activation(net.norm(f"{name}.bn1", net.convolution(f"{name}.conv1", x, channels, 3, stride)))
    y = net.norm(f"{name}.bn2", net.convolution(f"{name}.conv2", y, channels))
    if not is_identity(x, channels, stride):
        x = net.norm(f"{name}.shortcutNorm", net.convolution(f"{name}.shortcut", x, channels, 1, stride))
    return net.activation(y + x)


def preactivated(net, name, x, channels, stride):
    y = net.activation(net.norm(f"{name}.bn1", x))
    y = net.convolution(f"{name}.conv1", y, channels, 3, stride)
    y = net.activation(net.norm(f"{name}.bn2", y))
    y = net.convolution(f"{name}.conv2", y, channels)
    if not is_identity(x, channels, stride):
        x = net.norm(f"{name}.shortcutNorm", net.convolution(f"{name}.shortcut", x, channels, 1, stride))
    return y + x


def binary(net, name, x, channels, stride):
    y = net.after_binary(net.convolution(f"{name}.conv1", net.norm(f"{name}.bn1", x), channels, 3, stride))
    y = net.convolution(f"{name}.conv2", net.norm(f"{name}.bn2", y), channels)
    if not is_identity(x, channels, stride):
        x = net.convolution(f"{name}.shortcut", net.norm(f"{name}.shortcutNorm", x), channels, 1, stride)
    return net.after_binary(y + x)


VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


def vgg16(net, x):
    """Of Baseline and DoReFa-Net."""
    i = 0
    for channels in VGG16:
        if channels == "M":
            x = net.max_pool(x)
        else:
            i += 1
            x = net.activation(net.norm(f"bn{i}", net.convolution(f"conv{i}", x, channels)))
    x = x.flatten(1)
    for name in ("fc1", "fc2"):
        x = net.activation(net.linear(name, x, 4096))
    return net.linear("fc3", x, 10)


def initial_specs(build, method, shape=(3, 32, 32)):
    """Shapes and distributions of everything a step starts from."""
    net = Network(method)
    build(net, torch.zeros(1, *shape, dtype=torch.float64))
    parameters, statistics = {}, {}
    for name, shape in net.shapes.items():
        fan_in = torch.Size(shape[:-1]).numel()
        # Weights that the method clamps to [-1, 1] reach these bounds.
        clamped = method.quantizes(name) and (method.prepares or method.constrains)
        spread = 1 if clamped else round(2 * fan_in**-0.5, 4)
        parameters[f"{name}.weight"] = dict(shape=shape, center=0, spread=spread, largest=True)
        if method.quantizes(name):
            for own in method.own:
                parameters[f"{name}.own.{own}"] = dict(shape=[], center=1, spread=0.25)
    for name, channels in net.channels.items():
        parameters[f"{name}.scale"] = dict(shape=[channels], center=1, spread=0.25)
        # DoReFa's shortcuts clip a block's input to [0, 1]; above ReLU's zeros it is not a whole number.
        above = method.name == "dorefa" and "fc" in net.shapes and name == "bn1"
        parameters[f"{name}.shift"] = dict(shape=[channels], center=6 if above else net.shifts[name], spread=0.25)
        statistics[f"{name}.mean"] = dict(shape=[channels], center=0, spread=0)
        statistics[f"{name}.variance"] = dict(shape=[channels], center=1, spread=0)
    return parameters, statistics


def prepared(parameters, method):
    """The parameters that a step, and an evaluation, works with."""
    return {
        name: xnor.prepare(p) if method.prepares and method.latent(name) else p
        for name, p in parameters.items()
    }


def forward(build, parameters, statistics, images, method, training, boundary=None):
    """Of prepared parameters and images [N, 32, 32, 3]: logits, and the statistics after the batch."""
    net = Network(method, parameters, statistics, training, boundary)
    return build(net, images.permute(0, 3, 1, 2)), net.updated


def clear_weights(prefix, parameters, method):
    """Draws weights until none is near a boundary of its quantizer."""
    steps.clear_weight_ties(parameters, method)
    for name, spec in parameters.items():
        while method.latent(name):
            w = formula.tensor(f"{prefix}/{name}", spec)
            near = steps.weights_near(name.removesuffix(".weight"), method, w)
            if not near.any():
                break
            for channel in near.nonzero().flatten().tolist():
                spec.setdefault("salts", [0] * spec["shape"][-1])[channel] += 1


def fit_statistics(build, prefix, parameters, statistics, images, method):
    """Running statistics of the size of the batch's own, so that evaluation sees sensible values too."""
    zeros = {name: torch.zeros(spec["shape"], dtype=torch.float64) for name, spec in statistics.items()}
    p = prepared(steps.make(prefix, parameters), method)
    with torch.no_grad():
        _, updated = forward(build, p, zeros, images, method, True)
    for name, value in updated.items():
        size = float(f"{value.abs().mean().item() / MOMENTUM:.1e}")
        variance = name.endswith("variance")
        statistics[name].update(center=size if variance else 0, spread=size / (4 if variance else 2))


def training_step(build, run, step, method, kind, options, batch, side=32):
    """`kind` None: no update."""
    prefix = f"{run}/{step}"
    inputs = {"images": dict(shape=[batch, side, side, 3], center=0.1, spread=2)}
    images = steps.make(prefix, inputs)["images"]
    labels = formula.labels(f"{prefix}/labels", batch, 10)
    parameters, statistics = initial_specs(build, method, (3, side, side))
    clear_weights(prefix, parameters, method)
    fit_statistics(build, prefix, parameters, statistics, images, method)
    own = steps.optimizer_state(method, kind, step, parameters) if kind else {}

    p, s = prepared(steps.make(prefix, parameters), method), steps.make(prefix, statistics)
    latent = steps.summaries(steps.changed_weights(p, method))
    with torch.no_grad():
        evaluation, _ = forward(build, p, s, images, method, False)
    for value in p.values():
        value.requires_grad_()
    logits, updated = forward(build, p, s, images, method, True)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    gradients = steps.summaries({name: value.grad for name, value in p.items()})
    moments = {slot: steps.make(f"{prefix}/{slot}", specs) for slot, specs in own.items()}
    if kind:
        steps.update(method, kind, options, step, p, moments)
    return {
        "step": step,
        "start": {"inputs": inputs, "parameters": parameters, "statistics": statistics, "own": own},
        "labels": labels.tolist(),
        "latent": latent,
        "evaluationLogits": formula.summary(evaluation),
        "logits": formula.summary(logits),
        "loss": loss.item(),
        "gradients": gradients,
        "updated": {
            "statistics": steps.summaries(updated),
            "parameters": steps.summaries(p) if kind else {},
            "own": {slot: steps.summaries(values) for slot, values in moments.items()},
            "latent": {},
        },
    }
