"""Single blocks of ResNets and VGG-16 between a first and a last layer, on inputs that float32 keeps clear of boundaries.

A whole deep network has too many values for that (`deep.py`); one block has few enough to try until none is near.
"""

import torch
import torch.nn.functional as F

import deep
import formula
import steps
from lenet5 import Method

BATCH, SIDE = 2, 8
METHODS = {
    "baseline": Method(),
    "dorefa-2-2": Method("dorefa", 2, 2),
    "qnn-2-2": Method("qnn", 2, 2),
    "qnn-1-1-redbit": Method("qnn", 1, 1, "redbit"),
    "xnor-1-1": Method("xnor", 1, 1),
    "xnor-1-1-redbit": Method("xnor", 1, 1, "redbit", relu_after_convolution=True),
    "xnor-1-32": Method("xnor", 1, 32, relu_after_convolution=True),
    "twn-2-32": Method("twn", 2, 32),
    "ttq-2-32": Method("ttq", 2, 32),
}


def stem(net, x):
    return net.activation(net.norm("bn1", net.convolution("conv1", x, 16)))


def residual(channels, stride):
    def build(net, x):
        block = {"dorefa": deep.preactivated, "xnor": deep.binary}.get(net.method.name, deep.basic)
        x = block(net, "block", stem(net, x), channels, stride)
        return net.linear("fc", x.flatten(1), 10, activated=net.method.name != "dorefa")

    return build


def pooled(net, x):
    """Of VGG-16: a maximum between two convolutions."""
    x = net.convolution("conv2", net.max_pool(stem(net, x)), 32)
    return net.linear("fc", net.activation(net.norm("bn2", x)).flatten(1), 10)


BLOCKS = {
    "identity": (residual(16, 1), METHODS),
    "downsampling": (residual(32, 2), METHODS),
    "pooled": (pooled, ("baseline", "dorefa-2-2")),
}


def boundaries_met(build, p, s, images, method, training):
    """(what it is of, distance to the boundary, whether the value jumps there), in double and in float32."""
    runs = []
    for dtype in (torch.float64, torch.float32):
        seen = []

        def boundary(x, distance, jump=False, exact=()):
            """A value that is one of `exact` is so for everybody."""
            same = sum(((x == value) for value in exact), torch.zeros_like(x, dtype=torch.bool)).bool()
            seen.append((x.detach(), torch.where(same, torch.inf, distance).detach(), jump))

        cast = [{name: value.to(dtype) for name, value in part.items()} for part in (p, s)]
        with torch.no_grad():
            deep.forward(build, *cast, images.to(dtype), method, training, boundary)
        runs.append(seen)
    return zip(*runs)


def is_clear(build, p, s, images, method):
    for training in (True, False):
        for (exact, distance, jump), (rounded, _, _) in boundaries_met(build, p, s, images, method, training):
            error = (exact - rounded)[exact.abs() < 2].abs()
            error = max(steps.LEAST_ERROR, error.max().item() if len(error) else 0)
            if (training or jump) and distance.min() < steps.SAFETY * error:
                return False
    return True


def block_step(name, build, method, batch=BATCH, side=SIDE, shift=0.1):
    """Forward and backward from the first start that is clear."""
    for attempt in range(1000):
        prefix = f"{name}/{attempt}"
        inputs = {"images": dict(shape=[batch, side, side, 3], center=0.1, spread=2)}
        images = steps.make(prefix, inputs)["images"]
        labels = formula.labels(f"{prefix}/labels", batch, 10)
        parameters, statistics = deep.initial_specs(build, method, (3, side, side))
        parameters["bn1.shift"]["center"] = shift
        deep.clear_weights(prefix, parameters, method)
        deep.fit_statistics(build, prefix, parameters, statistics, images, method)
        p = deep.prepared(steps.make(prefix, parameters), method)
        s = steps.make(prefix, statistics)
        if is_clear(build, p, s, images, method):
            break
    else:
        raise RuntimeError(f"{name}: no inputs keep the margin")

    latent = steps.summaries(steps.changed_weights(p, method))
    with torch.no_grad():
        evaluation, _ = deep.forward(build, p, s, images, method, False)
    for value in p.values():
        value.requires_grad_()
    logits, updated = deep.forward(build, p, s, images, method, True)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    print(f"{name}: attempt {attempt}", flush=True)
    return {
        "prefix": prefix,
        "start": {"inputs": inputs, "parameters": parameters, "statistics": statistics},
        "labels": labels.tolist(),
        "latent": latent,
        "evaluationLogits": formula.summary(evaluation),
        "logits": formula.summary(logits),
        "loss": loss.item(),
        "gradients": steps.gradient_summaries(p, method),
        "updated": {"statistics": steps.summaries(updated)},
    }


def cases():
    for kind, (build, names) in BLOCKS.items():
        for name in names:
            yield kind, METHODS[name], block_step(f"{kind}-{name}", build, METHODS[name])
