"""Writes data/: golden values of the quantizers and of LeNet-5's training steps. See README.md."""

import gzip
import json
import pathlib

import torch
import torch.nn.functional as F

import dorefa
import formula
import lenet5

DATA = pathlib.Path(__file__).parent / "data"
BATCH = 8
STEPS = 5
# A value keeps this many times the largest error of float32 there away from a point where a derivative jumps.
SAFETY = 4
WEIGHT_MARGIN = 1e-6  # tanh(w) / (2 max |tanh w|) + 1/2 has an error of about 1e-7 in float32

RUNS = {
    "baseline": (lenet5.Method(), "adam", dict(lr=0.01)),
    "dorefa-1-2": (lenet5.Method(1, 2), "adam", dict(lr=0.01)),
    "dorefa-2-2": (lenet5.Method(2, 2), "sgd", dict(lr=0.1, momentum=0.9, weight_decay=1e-4)),
    "dorefa-8-8": (lenet5.Method(8, 8), "adam", dict(lr=0.001, weight_decay=1e-4)),
}
OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


# --- quantizers -----------------------------------------------------------------------------------

EDGE_WEIGHTS = {
    "edges": [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 0.25, -0.25, 0.75, -0.1, 0.01, 0.999],
    "one largest": [0.3, -0.7, 0.11, 1.25, -0.45, 0.0, 0.9, -1.2],
    "huge": [1e30, -1e30, 0.5, -0.5, 0.0, 1e-30, 2.0, -3.0],
    "tiny": [1e-12, -2e-12, 5e-13, 0.0],
    "one": [-0.3],
    "zeros": [0.0, -0.0, 0.0],
}
EDGE_ACTIVATIONS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 0.25, 0.75, 0.12, 0.88, 1.5, 2.0]
EDGE_ACTIVATIONS += [1e30, -1e30, 1e-30, -1e-30, 0.9999, 1.0001, -0.0001, 0.4999, 0.5001]


def float32(values):
    return formula.float32(torch.tensor(values, dtype=torch.float64))


def quantizer_case(kind, name, bits, values, apply, distance):
    x = float32(values).requires_grad_()
    upstream = float32([((7 * i) % 11 - 5) / 4 for i in range(len(values))])
    if distance is not None:  # exact ties are meant, near ones would depend on rounding
        assert ((distance == 0) | (distance > WEIGHT_MARGIN)).all(), (kind, name, bits)
    y = apply(x, bits)
    y.backward(upstream)
    return {
        "kind": kind,
        "name": name,
        "bits": bits,
        "values": x.tolist(),
        "upstream": upstream.tolist(),
        "output": y.tolist(),
        "gradient": x.grad.tolist(),
    }


def quantizers():
    cases = []
    for bits in (1, 2, 3, 4, 8, 32):
        for name, values in EDGE_WEIGHTS.items():
            distance = dorefa.distance(dorefa.unit(float32(values)), bits) if 1 < bits < 32 else None
            cases.append(quantizer_case("weights", name, bits, values, dorefa.weights, distance))
        # Around each tie (j + 1/2) / n at most 16 of them, from either side.
        ties = [(j + 0.5) / (2**bits - 1) for j in range(2**bits - 1)] if bits < 32 else []
        near = [t + d for t in ties[:: max(1, len(ties) // 16)] for d in (-1e-4, 1e-4)]
        values = EDGE_ACTIVATIONS + near
        x = float32(values)
        distance = dorefa.distance(x.clip(0, 1), bits) if bits < 32 else None
        cases.append(quantizer_case("activations", "edges", bits, values, dorefa.activations, distance))
    return cases


# --- one training step of LeNet-5 from a state made by formula ------------------------------------


def initial_specs(method):
    """Shapes and distributions of everything a step starts from."""
    parameters, statistics = {}, {}
    for name, shape in lenet5.LAYERS.items():
        fan_in = torch.Size(shape[:-1]).numel()
        spread = round(fan_in**-0.5, 4)
        parameters[f"{name}.weight"] = dict(
            shape=shape, center=0, spread=spread, largest=True, salts=[0] * shape[-1]
        )
        if name in lenet5.NORMS:
            bn, channels = lenet5.NORMS[name], [shape[-1]]
            if bn != "bn1":  # the first batch norm has no affine parameters
                parameters[f"{bn}.scale"] = dict(shape=channels, center=1, spread=0.25)
                parameters[f"{bn}.shift"] = dict(shape=channels, center=0.1, spread=0.25)
            statistics[f"{bn}.mean"] = dict(shape=channels, center=0, spread=0)
            statistics[f"{bn}.variance"] = dict(shape=channels, center=1, spread=0)
    return parameters, statistics


def make(prefix, specs):
    return {name: formula.tensor(f"{prefix}/{name}", spec) for name, spec in specs.items()}


def make_images(prefix, inputs):
    """Blocks of 4x4 equal pixels: pure noise would be averaged away, and batch norm would amplify rounding."""
    return make(prefix, inputs)["blocks"].repeat_interleave(4, 1).repeat_interleave(4, 2)


def clear_weight_ties(parameters, method):
    """Widens a quantized tensor's grid by small steps until no grid value is near a tie of q_k."""
    if method.weight_bits in (1, 32):
        return
    for name in lenet5.LAYERS:
        spec = parameters[f"{name}.weight"]
        while method.quantizes(name):
            unit = dorefa.unit(formula.grid(spec["spread"]))
            if dorefa.distance(unit, method.weight_bits).min() > WEIGHT_MARGIN:
                break
            spec["spread"] *= 1 + 1 / 1024


def fit_statistics(prefix, parameters, statistics, images, method):
    """Running statistics of the size of the batch's own, so that evaluation sees sensible values too."""
    zero_mean = {name: torch.zeros(spec["shape"], dtype=torch.float64) for name, spec in statistics.items()}
    _, updated = lenet5.forward(
        make(prefix, parameters), zero_mean, images, method, True, lenet5.Boundaries()
    )
    for name, value in updated.items():
        size = float(f"{value.abs().mean().item() / lenet5.MOMENTUM:.1e}")
        variance = name.endswith("variance")
        statistics[name].update(center=size if variance else 0, spread=size / (4 if variance else 2))


def boundaries_met(prefix, parameters, statistics, images, method):
    """(layer, least distance per channel, largest error of float32 there), training and evaluating."""
    state = make(prefix, parameters), make(prefix, statistics)
    for training in (True, False):
        runs = []
        for dtype in (torch.float64, torch.float32):
            boundaries = lenet5.Boundaries()
            p, s = ({name: value.to(dtype) for name, value in part.items()} for part in state)
            lenet5.forward(p, s, images.to(dtype), method, training, boundaries)
            runs.append(boundaries.seen)
        for (layer, exact, distance), (_, rounded, _) in zip(*runs):
            inside = exact.abs() < 2  # boundaries lie in [0, 1]
            yield layer, distance, (exact - rounded)[inside].abs().max().item()


def clear_boundaries(prefix, parameters, statistics, images, method):
    """Redraws, layer by layer, the weights of the output channels that have a value too near a boundary.

    Returns the margins kept: per layer, the least ratio of a value's distance to the error of float32 there.
    """
    for _ in range(5000):
        near = {layer: torch.zeros(1, dtype=torch.bool) for layer in lenet5.NORMS}
        margins = {}
        for layer, distance, error in boundaries_met(prefix, parameters, statistics, images, method):
            near[layer] = near[layer] | (distance < SAFETY * error)
            margins[layer] = min(margins.get(layer, 1e9), round(distance.min().item() / error, 2))
        redrawn = next((layer for layer in near if near[layer].any()), None)
        if redrawn is None:
            return margins
        for channel in near[redrawn].nonzero().flatten().tolist():
            parameters[f"{redrawn}.weight"]["salts"][channel] += 1
    raise RuntimeError(f"{prefix}: no inputs keep the margin")


def optimizer_state(kind, step, parameters):
    """What the optimizer remembers: nothing at step 1; moments of the size of a gradient later."""
    scale = 0.01 if step > 1 else 0
    slots = {"adam": {"m": (0, scale), "v": (scale**2, scale**2 / 2)}, "sgd": {"velocity": (0, scale)}}
    return {
        slot: {
            name: dict(shape=spec["shape"], center=center, spread=spread) for name, spec in parameters.items()
        }
        for slot, (center, spread) in slots[kind].items()
    }


def update(kind, options, step, parameters, own):
    """torch.optim's own step in double; parameters hold their gradients and are changed in place."""
    optimizer = OPTIMIZERS[kind](parameters.values(), **options)
    for name, p in parameters.items():
        if kind == "adam":
            step_before = torch.tensor(step - 1.0)
            optimizer.state[p] = dict(step=step_before, exp_avg=own["m"][name], exp_avg_sq=own["v"][name])
        else:
            optimizer.state[p] = dict(momentum_buffer=own["velocity"][name])
    optimizer.step()


def summaries(tensors):
    return {name: formula.summary(t) for name, t in tensors.items()}


def gradient_summaries(parameters, method):
    """In a tensor quantized with k > 1 the largest weight's gradient is a sum over all others, most of which
    cancels: `norm` is the root of the sum of the terms' squares, the size its rounding error goes by. It is left
    out of the tensor's `max` and `sum`."""
    result = {}
    for name, w in parameters.items():
        g = w.grad
        if name.endswith(".weight") and method.quantizes(name[:-7]) and method.weight_bits > 1:
            w, others = w.detach().flatten(), g.flatten().clone()
            others[len(w) // 2] = 0
            t = torch.tanh(w)
            largest = t.abs().max()
            rows = torch.where(t.abs() < largest, others * t / (1 - t * t), 0.0)
            norm = (1 - largest**2) / largest * rows.square().sum().sqrt()
            result[name] = {**formula.summary(others), "norm": norm.item()}
            result[name]["values"] = g.flatten()[formula.sample(len(w))].tolist()
        else:
            result[name] = formula.summary(g)
    return result


def training_step(run, step):
    method, kind, options = RUNS[run]
    prefix = f"{run}/{step}"
    inputs = {"blocks": dict(shape=[BATCH, 7, 7, 1], center=0.5, spread=2)}
    parameters, statistics = initial_specs(method)
    images = make_images(prefix, inputs)
    labels = formula.labels(f"{prefix}/labels", BATCH, 10)
    clear_weight_ties(parameters, method)
    fit_statistics(prefix, parameters, statistics, images, method)
    margins = clear_boundaries(prefix, parameters, statistics, images, method)
    own = optimizer_state(kind, step, parameters)

    p, s = make(prefix, parameters), make(prefix, statistics)
    evaluation, _ = lenet5.forward(p, s, images, method, False, lenet5.Boundaries())
    for value in p.values():
        value.requires_grad_()
    logits, updated = lenet5.forward(p, s, images, method, True, lenet5.Boundaries())
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    gradients = gradient_summaries(p, method)
    moments = {slot: make(f"{prefix}/{slot}", specs) for slot, specs in own.items()}
    update(kind, options, step, p, moments)
    return {
        "step": step,
        "margins": margins,
        "start": {"inputs": inputs, "parameters": parameters, "statistics": statistics, "own": own},
        "labels": labels.tolist(),
        "evaluationLogits": formula.summary(evaluation),
        "logits": formula.summary(logits),
        "loss": loss.item(),
        "gradients": gradients,
        "updated": {
            "statistics": summaries(updated),
            "parameters": summaries(p),
            "own": {slot: summaries(values) for slot, values in moments.items()},
        },
    }


def write(name, value):
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    (DATA / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def main():
    torch.set_num_threads(2)
    write("quantizers", quantizers())
    for run, (method, kind, options) in RUNS.items():
        write(
            f"lenet5-{run}",
            {
                "weightBits": method.weight_bits,
                "activationBits": method.activation_bits,
                "method": "baseline" if method.baseline else "dorefa",
                "optimizer": {"kind": kind, **options},
                "steps": [training_step(run, step) for step in range(1, STEPS + 1)],
            },
        )
        print(run)


if __name__ == "__main__":
    main()
