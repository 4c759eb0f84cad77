"""The quantizers at edge values: zeros of both signs, bounds, ties, huge, tiny, all-zero groups."""

import torch

import dorefa
import formula
import qnn
import ternary
import xnor

# What float32 may differ by: exact ties are meant, near ones would depend on rounding.
ROUNDING = 1e-6

WEIGHTS = {
    "edges": [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 0.25, -0.25, 0.75, -0.1, 0.01, 0.999],
    "one largest": [0.3, -0.7, 0.11, 1.25, -0.45, 0.0, 0.9, -1.2],
    "huge": [1e30, -1e30, 0.5, -0.5, 0.0, 1e-30, 2.0, -3.0],
    "tiny": [1e-12, -2e-12, 5e-13, 0.0],
    "one": [-0.3],
    "zeros": [0.0, -0.0, 0.0],
}
ACTIVATIONS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 0.25, 0.75, 0.12, 0.88, 1.5, 2.0]
ACTIVATIONS += [1e30, -1e30, 1e-30, -1e-30, 0.9999, 1.0001, -0.0001, 0.4999, 0.5001]
ACTIVATIONS += [-0.75, -0.25, -0.9999, -1.0001, -1.5]
# 0.7 times the mean is 7 in float32 as in double.
THRESHOLD_OF_TWN = [7.0, -7.0, 16.0, -10.0]
CHANNELS_OF_TWN = [
    [7.0, 0.0, 1e30, 1.0],
    [-7.0, -0.0, -1.0, 7.5],
    [16.0, 0.0, 2e29, -7.0],
    [-10.0, 0.0, 3.0, 0.1],
]
# 0.05 times the largest is 1.
THRESHOLD_OF_TTQ = [1.0, -1.0, 20.0, -20.0, 1.0001, -1.0001, 0.9999, 0.0, -0.0]


def float32(values):
    return formula.float32(torch.tensor(values, dtype=torch.float64))


def ties(n, low=0):
    """(j + 1/2) / n from `low` up, at most 16 of them, with neighbours on either side."""
    exact = [(j + 0.5) / n for j in range(low * n, n)]
    return [t + d for t in exact[:: max(1, len(exact) // 16)] for d in (-1e-4, 1e-4)]


def column(values):
    """The weights of a linear layer with one output."""
    return [[value] for value in values]


def case(method, preset, kind, name, bits, values, apply, own=()):
    """Output, and gradients for an upstream gradient, of `apply(x, *own)`."""
    results = []
    for dtype in (torch.float64, torch.float32):
        inputs = [float32(v).to(dtype).requires_grad_() for v in (values, *own)]
        x = inputs[0]
        upstream = torch.tensor([((7 * i) % 11 - 5) / 4 for i in range(x.numel())], dtype=dtype).reshape(
            x.shape
        )
        y = apply(*inputs)
        y.backward(upstream)
        results.append([y.detach(), *(leaf.grad for leaf in inputs)])
    for exact, rounded in zip(*results):
        worst = (exact - rounded).abs().max()
        assert worst <= ROUNDING * max(1, exact.abs().max()), (method, preset, kind, name, bits)
    output, gradient, *own_gradients = results[0]
    return {
        "method": method,
        "preset": preset,
        "kind": kind,
        "name": name,
        "bits": bits,
        "shape": list(x.shape),
        "values": float32(values).flatten().tolist(),
        "upstream": upstream.flatten().tolist(),
        "output": output.flatten().tolist(),
        "gradient": gradient.flatten().tolist(),
        **({"own": list(own), "ownGradients": [g.item() for g in own_gradients]} if own else {}),
    }


def uniform(method, preset, all_bits, steps, weights, activations):
    """The cases of a method with k-bit weights and activations; `steps` says how fine the activations are."""
    for bits in all_bits:
        for name, values in WEIGHTS.items():
            yield case(
                method, preset, "weights", name, bits, column(values), lambda w: weights(w, bits, preset)
            )
        values = ACTIVATIONS + (steps(bits) if bits < 32 else [])
        yield case(
            method, preset, "activations", "edges", bits, values, lambda x: activations(x, bits, preset)
        )


def qnn_cases(preset):
    def activations(x, bits, preset):
        return qnn.activations(qnn.nonlinearity(x, bits), bits, preset)

    yield from uniform(
        "qnn", preset, (1, 2, 4, 8, 32), lambda k: ties(2 ** (k - 1), low=-1), qnn.weights, activations
    )
    for bits in (2, 4, 8):  # ties that are exact, of weights up to 1 and up to 2
        n = 2 ** (bits - 1)
        exact = [-1.0] + [(j + 0.5) / n for j in range(-n, n, max(1, n // 8))]
        for name, largest in (("ties", 1), ("ties up to 2", 2)):
            values = column([largest * x for x in exact])
            yield case("qnn", preset, "weights", name, bits, values, lambda w: qnn.weights(w, bits, preset))


def xnor_cases(preset):
    channels = [
        [0.0, 1.0, 0.0, -0.3],
        [-0.0, -1.0, 0.0, 1e-30],
        [0.5, 0.999, -0.0, 2.0],
        [-0.25, 1.0001, 0.0, 1e30],
    ]
    convolution = [[channels, channels[::-1]], [channels[1:] + channels[:1], channels]]
    # Nothing is centred, so that the factor 1 - 1/C is 1.
    one_input = {
        "one input": [[0.5, -0.25, 1.5]],
        "one input, convolution": [[[[0.5]], [[-1.5]]], [[[0.25]], [[0.75]]]],
    }
    shapes = {"one output": column(WEIGHTS["edges"]), "outputs": channels, "convolution": convolution}
    for name, values in {**shapes, "zeros": [[0.0, -0.0], [0.0, 0.0]], "one": [[-0.3]], **one_input}.items():
        yield case("xnor", preset, "weights", name, 1, values, lambda w: xnor.weights(w, 1, preset))
    yield case("xnor", preset, "weights", "float", 32, channels, lambda w: xnor.weights(w, 32, preset))
    for bits in (1, 32):
        yield case(
            "xnor",
            preset,
            "activations",
            "edges",
            bits,
            ACTIVATIONS,
            lambda x: xnor.activations(x, bits, preset),
        )


def prepare_cases():
    """XNOR-Net's latent weights: only the values; nothing is differentiated."""
    channels = [[0.5, 0.0, 2.0, -3.0, 1e30], [-0.25, -0.0, 2.0, 1.0, 0.0], [1.5, 0.0, 2.0, 1.0, 0.0]]
    for name, values in {
        "outputs": channels,
        "convolution": [[channels, channels[::-1]], [channels, channels]],
        "one input": [[0.5, -0.0, 2.0]],
        "one output": column([1.0, -1.0, 3.0, -3.0, 0.5, 0.25, 1e-30]),
    }.items():
        w = float32(values)
        prepared = xnor.prepare(w)
        assert (xnor.prepare(w.float()) - prepared).abs().max() <= ROUNDING, name
        yield {
            "name": name,
            "shape": list(w.shape),
            "values": w.flatten().tolist(),
            "output": prepared.flatten().tolist(),
        }


def twn_cases(preset):
    cases = {name: column(values) for name, values in WEIGHTS.items()}
    cases["threshold"] = column(THRESHOLD_OF_TWN)
    cases["outputs"] = CHANNELS_OF_TWN
    cases["convolution"] = [[CHANNELS_OF_TWN], [CHANNELS_OF_TWN[::-1]]]
    cases["zeros in two shapes"] = [[[[0.0, -0.0]]]]
    for name, values in cases.items():
        yield case("twn", preset, "weights", name, 2, values, lambda w: ternary.twn_weights(w, preset))


def ttq_cases(preset):
    cases = {**WEIGHTS, "threshold": THRESHOLD_OF_TTQ}
    for name, values in cases.items():
        for own in ((1.0, 1.0), (0.75, 1.5), (-0.5, 0.0)):
            yield case("ttq", preset, "weights", name, 2, column(values), ternary.ttq_weights, own)


def cases():
    fine = lambda bits: ties(2**bits - 1)
    result = []
    for preset in ("paper", "redbit"):
        result += uniform("dorefa", preset, (1, 2, 3, 4, 8, 32), fine, dorefa.weights, dorefa.activations)
        for of in (qnn_cases, xnor_cases, twn_cases, ttq_cases):
            result += of(preset)
    return {"quantizers": result, "prepare": list(prepare_cases())}
