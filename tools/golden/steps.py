"""One golden training step of LeNet-5, from a state made by formula that keeps clear of boundaries."""

import contextlib

import torch
import torch.nn.functional as F

import dorefa
import formula
import lenet5
import ternary
import xnor

# A value keeps this many times the largest error of float32 there away from a point where a derivative jumps.
SAFETY = 4
LEAST_ERROR = 2**-23  # what counts as float32's error where PyTorch happens to have none
WEIGHT_MARGIN = 1e-6  # a weight's error in float32, where the largest is 1, is about 1e-7

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def initial_specs(method):
    """Shapes and distributions of everything a step starts from."""
    parameters, statistics = {}, {}
    for name, shape in lenet5.LAYERS.items():
        fan_in = torch.Size(shape[:-1]).numel()
        # Weights that the method clamps to [-1, 1] reach these bounds.
        clamped = method.quantizes(name) and (method.prepares or method.constrains)
        spread = 1 if clamped else round(fan_in**-0.5, 4)
        parameters[f"{name}.weight"] = dict(
            shape=shape, center=0, spread=spread, largest=True, salts=[0] * shape[-1]
        )
        if method.quantizes(name):
            for own in method.own:
                parameters[f"{name}.own.{own}"] = dict(shape=[], center=1, spread=0.25)
    for bn in method.norms:
        channels = [method.norm_channels(bn)]
        if bn != "bn1":  # the first batch norm has no affine parameters
            parameters[f"{bn}.scale"] = dict(shape=channels, center=1, spread=0.25)
            parameters[f"{bn}.shift"] = dict(shape=channels, center=0.1, spread=0.25)
        statistics[f"{bn}.mean"] = dict(shape=channels, center=0, spread=0)
        statistics[f"{bn}.variance"] = dict(shape=channels, center=1, spread=0)
    return parameters, statistics


def make(prefix, specs):
    return {name: formula.tensor(f"{prefix}/{name}", spec) for name, spec in specs.items()}


def make_images(prefix, inputs):
    """Blocks of 4x4 equal pixels: noise would average out, and batch norm then amplify rounding."""
    return make(prefix, inputs)["blocks"].repeat_interleave(4, 1).repeat_interleave(4, 2)


def clear_weight_ties(parameters, method):
    """Widens a tensor's grid by small steps until no grid value is near a tie of DoReFa's q_k."""
    layers = [name.removesuffix(".weight") for name in parameters if name.endswith(".weight")]
    for name in layers:
        spec = parameters[f"{name}.weight"]
        while method.name == "dorefa" and 1 < method.weight_bits < 32 and method.quantizes(name):
            unit = dorefa.unit(formula.grid(spec["spread"]))
            if dorefa.distance(unit, method.weight_bits).min() > WEIGHT_MARGIN:
                break
            spec["spread"] *= 1 + 1 / 1024


def weights_near(layer, method, w):
    """Per output channel, whether a latent weight is near a boundary of its quantizer."""
    if not method.quantizes(layer):
        return torch.zeros(w.shape[-1], dtype=torch.bool)
    if method.name == "xnor":
        centred = xnor.centred(w).abs()
        distance = torch.minimum(centred, (centred - 1).abs())
    elif method.name in ("twn", "ttq"):
        threshold = (
            ternary.twn_threshold(w, method.preset) if method.name == "twn" else ternary.ttq_threshold(w)
        )
        distance = (w.abs() - threshold).abs() / w.abs().max()
    else:  # DoReFa's have been cleared; QNN's grid has no value near a tie
        return torch.zeros(w.shape[-1], dtype=torch.bool)
    return distance.flatten(0, -2).amin(0) < WEIGHT_MARGIN


def fit_statistics(prefix, parameters, statistics, images, method):
    """Running statistics of the size of the batch's own, so that evaluation sees sensible values too."""
    zero_mean = {name: torch.zeros(spec["shape"], dtype=torch.float64) for name, spec in statistics.items()}
    p = lenet5.prepared(make(prefix, parameters), method)
    _, updated = lenet5.forward(p, zero_mean, images, method, True, lenet5.Boundaries())
    for name, value in updated.items():
        size = float(f"{value.abs().mean().item() / lenet5.MOMENTUM:.1e}")
        variance = name.endswith("variance")
        statistics[name].update(center=size if variance else 0, spread=size / (4 if variance else 2))


def boundaries_met(layer, state, images, method):
    """(least distance per channel of the layer, largest error of float32 there), training and evaluating."""
    for training in (True, False):
        runs = []
        for dtype in (torch.float64, torch.float32):
            boundaries = lenet5.Boundaries(until=layer)
            p, s = ({name: value.to(dtype) for name, value in part.items()} for part in state)
            with torch.no_grad(), contextlib.suppress(lenet5.Enough):
                lenet5.forward(lenet5.prepared(p, method), s, images.to(dtype), method, training, boundaries)
            runs.append(boundaries.seen)
        for (jump, exact, distance, reach), (_, rounded, _, _) in zip(*runs):
            if training or jump:
                errors = (exact - rounded)[exact.abs() < reach].abs()
                yield distance, max(LEAST_ERROR, errors.max().item() if len(errors) else 0)


def clear_layer(layer, prefix, spec, state, images, method):
    """Redraws the weights of the layer's outputs that are near a boundary, or lead to a value that is.

    Returns the margin kept: the least ratio of a value's distance to the error of float32 there.
    """
    name, margin = f"{layer}.weight", 0
    for _ in range(20000):
        near = weights_near(layer, method, state[0][name])
        margin = 1e9
        for distance, error in boundaries_met(layer, state, images, method):
            near |= distance < SAFETY * error
            margin = min(margin, round(distance.min().item() / error, 2))
        if not near.any():
            return margin
        for channel in near.nonzero().flatten().tolist():
            spec["salts"][channel] += 1
        state[0][name] = formula.tensor(f"{prefix}/{name}", spec)
    raise RuntimeError(f"{prefix}, {layer}: no inputs keep the margin")


def clear_boundaries(prefix, parameters, statistics, images, method):
    """The margins kept, by layer. A later layer does not change what an earlier one meets."""
    state = make(prefix, parameters), make(prefix, statistics)
    margins = {
        layer: clear_layer(layer, prefix, parameters[f"{layer}.weight"], state, images, method)
        for layer in lenet5.LAYERS
    }
    return {layer: margin for layer, margin in margins.items() if margin < 1e9}  # others met no boundary


def is_own(name):
    """Whether a parameter is one of TTQ's W_p and W_n: no weight decay, in redbit no momentum either."""
    return ".own." in name


def keeps_velocity(method, name):
    return not (is_own(name) and method.preset == "redbit")


def optimizer_state(method, kind, step, parameters):
    """What the optimizer remembers: nothing at step 1; moments of the size of a gradient later."""
    scale = 0.01 if step > 1 else 0
    slots = {"adam": {"m": (0, scale), "v": (scale**2, scale**2 / 2)}, "sgd": {"velocity": (0, scale)}}
    return {
        slot: {
            name: dict(shape=spec["shape"], center=center, spread=spread)
            for name, spec in parameters.items()
            if slot != "velocity" or keeps_velocity(method, name)
        }
        for slot, (center, spread) in slots[kind].items()
    }


def gradient_factor(method, kind, shape):
    """XNOR-Net's authors multiply by the number of weights of an output; with Adam it cancels, and is left out."""
    times_count = (method.name, method.preset, kind) == ("xnor", "paper", "sgd")
    return shape[:-1].numel() if times_count else 1


def step_factor(method, shape):
    """QNN's authors lengthen the steps of latent weights, which start in U(-1, 1), by the inverse of Glorot's bound."""
    if (method.name, method.preset) != ("qnn", "paper"):
        return 1
    inputs = shape[:-1].numel()
    outputs = shape[:-2].numel() * shape[-1]
    return 1 / (1.5 / (inputs + outputs)) ** 0.5


def update(method, kind, options, step, parameters, own):
    """torch.optim's own step in double; parameters hold their gradients and are changed in place."""
    groups = [{"params": [p for name, p in parameters.items() if not is_own(name)]}]
    if method.own:
        without = {"momentum": 0} if kind == "sgd" and method.preset == "redbit" else {}
        others = [p for name, p in parameters.items() if is_own(name)]
        groups.append({"params": others, "weight_decay": 0, **without})
    before = {name: p.detach().clone() for name, p in parameters.items()}
    for name, p in parameters.items():
        if method.latent(name):
            p.grad *= gradient_factor(method, kind, p.shape)
    optimizer = OPTIMIZERS[kind](groups, **options)
    for name, p in parameters.items():
        if kind == "adam":
            step_before = torch.tensor(step - 1.0)
            optimizer.state[p] = dict(step=step_before, exp_avg=own["m"][name], exp_avg_sq=own["v"][name])
        elif keeps_velocity(method, name):
            optimizer.state[p] = dict(momentum_buffer=own["velocity"][name])
    optimizer.step()
    for name, p in parameters.items():
        if method.latent(name):
            p.data = before[name] + step_factor(method, p.shape) * (p.data - before[name])


def summaries(tensors):
    return {name: formula.summary(t) for name, t in tensors.items()}


def gradient_summaries(parameters, method):
    """Some gradients are sums of many terms, most of which cancel because batch norm undoes a scale.

    These are TTQ's of W_p and W_n, and that of the largest weight where DoReFa's paper quantizes with k > 1.
    Rounding errors go by the size of the terms, `norm`; `max` and `sum` leave such an element out.
    """
    result = {}
    through_maximum = (method.name, method.preset) == ("dorefa", "paper") and method.weight_bits > 1
    for name, p in parameters.items():
        g, norm = p.grad.flatten(), None
        if through_maximum and method.latent(name):
            norm = norm_through_maximum(p.detach().flatten(), g)
        elif is_own(name):
            layer, own = name.split(".own.")
            norm = norm_of_own(parameters[f"{layer}.weight"], p.detach(), own)
        if norm is None:
            result[name] = formula.summary(g)
        else:
            others = g.clone()
            others[len(g) // 2] = 0
            kept = {"values": g[formula.sample(len(g))].tolist(), "norm": norm.item()}
            result[name] = {**formula.summary(others), **kept}
    return result


def norm_through_maximum(w, g):
    """Root of the sum of squares of g_i t_i / (1 - t_i^2) (1 - t_max^2) / t_max, t = tanh(w)."""
    t = torch.tanh(w)
    largest = t.abs().max()
    terms = torch.where(t.abs() < largest, g * t / (1 - t * t), 0.0)
    return (1 - largest**2) / largest * terms.norm()


def norm_of_own(w, value, own):
    """Terms of one output share an error, so their magnitudes add up; outputs add by squares."""
    terms = w.grad / value * ternary.ttq_region(w.detach(), own)
    return terms.abs().flatten(0, -2).sum(0).norm()


def changed_weights(parameters, method):
    """The latent weights, where the method changes them between steps."""
    changes = method.prepares or method.constrains
    return {name: w for name, w in parameters.items() if changes and method.latent(name)}


def training_step(run, step, method, kind, options, batch):
    prefix = f"{run}/{step}"
    inputs = {"blocks": dict(shape=[batch, 7, 7, 1], center=0.5, spread=2)}
    parameters, statistics = initial_specs(method)
    images = make_images(prefix, inputs)
    labels = formula.labels(f"{prefix}/labels", batch, 10)
    clear_weight_ties(parameters, method)
    fit_statistics(prefix, parameters, statistics, images, method)
    margins = clear_boundaries(prefix, parameters, statistics, images, method)
    own = optimizer_state(method, kind, step, parameters)

    p, s = lenet5.prepared(make(prefix, parameters), method), make(prefix, statistics)
    latent = summaries(changed_weights(p, method))
    evaluation, _ = lenet5.forward(p, s, images, method, False, lenet5.Boundaries())
    for value in p.values():
        value.requires_grad_()
    logits, updated = lenet5.forward(p, s, images, method, True, lenet5.Boundaries())
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    gradients = gradient_summaries(p, method)
    moments = {slot: make(f"{prefix}/{slot}", specs) for slot, specs in own.items()}
    update(method, kind, options, step, p, moments)
    return {
        "step": step,
        "margins": margins,
        "start": {"inputs": inputs, "parameters": parameters, "statistics": statistics, "own": own},
        "labels": labels.tolist(),
        "latent": latent,
        "evaluationLogits": formula.summary(evaluation),
        "logits": formula.summary(logits),
        "loss": loss.item(),
        "gradients": gradients,
        "updated": {
            "statistics": summaries(updated),
            "parameters": summaries(p),
            "own": {slot: summaries(values) for slot, values in moments.items()},
            "latent": summaries(
                changed_weights(lenet5.prepared(lenet5.constrained(p, method), method), method)
            ),
        },
    }
