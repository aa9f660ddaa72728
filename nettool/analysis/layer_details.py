"""A few of the numbers of a layer that is too large to be shown whole, with how they came about.

Of one example. C channels, H height, W width, T time, F features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nettool.analysis.formulas import Detail, Dot, Formula, Some, activated, numbers_of, sigmoid
from nettool.analysis.passes import Passed
from nettool.config.layer_types import Activation
from nettool.model import recurrent, spatial, stack

FEW = 3
MOST_IN_WINDOW = 9
"""Numbers of a window that are written out."""

Seen = Mapping[nn.Module, Passed]


def parts_of(module: nn.Module) -> list[nn.Module]:
    """What is to be watched for the details of a layer: itself, and what stands in it but is no layer of its own."""
    if isinstance(module, stack.Residual):
        return [module, module.layers]
    if isinstance(module, stack.Stack):
        inside = [part for part in module if not hasattr(part, "layer_name")]
        return [module, *inside]
    return [module, module.attention] if isinstance(module, recurrent.Transformer) else [module]


@torch.no_grad()
def details_of(module: nn.Module, activation: Activation, seen: Seen) -> tuple[Detail, ...]:
    """The calculations behind some of its numbers; none where its sentence says all.

    activation: of the layer. seen: what passed `parts_of(module)`.
    """
    whole = seen[module]
    # In the middle a filter does not reach over the ends; any other layer is as well shown at the first step.
    slides = any(isinstance(part, spatial.Conv1d) for part in parts_of(module))
    step = _real(whole.output, whole.after) // 2 if slides else 0
    found: list[Detail] = []
    for part in parts_of(module):
        passed = seen[part]
        if type(part).__name__ == activation_class(activation):
            found += _activation(activation, passed, step)
        else:
            found += _of_part(part, passed, step, seen)
    return tuple(found)


def activation_class(activation: Activation) -> str:
    """The name of torch's module for it."""
    names = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "elu": "ELU", "gelu": "GELU", "silu": "SiLU", "tanh": "Tanh"}
    return {**names, "sigmoid": "Sigmoid", "softplus": "Softplus"}.get(activation, "")


def _of_part(part: nn.Module, passed: Passed, step: int, seen: Seen) -> Sequence[Detail]:
    x, out = passed.input, passed.output
    match part:
        case spatial.Conv2d():
            return [_convolution2d(part, x, out)]
        case spatial.Conv1d():
            return [_convolution1d(part, passed, step)]
        case nn.Linear() if out.ndim == 3:
            return [_linear(part, x[0, step], out[0, step], unit, step) for unit in range(min(FEW, out.shape[2]))]
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return _batch_norm(part, _few(x, step), _few(out, step))
        case spatial.TimeBatchNorm():
            return _batch_norm(part.norm, _few(x, step), _few(out, step))
        case nn.LayerNorm() | nn.GroupNorm():
            return _layer_norm(part, x, out, step)
        case nn.MaxPool2d() | nn.AvgPool2d() | spatial.TimePool():
            return _pool(part, x, out)
        case spatial.GlobalAvgPool():
            real = x[0, 0] if x.ndim == 4 else x[0, : _real(x, passed.before), 0]
            terms = {"sum": float(real.double().sum()), "n": float(real.numel())}
            return [Formula("number 1", "the sum of n numbers / n", "{sum} / {n}", terms, float(out[0, 0]))]
        case nn.Embedding():
            steps = range(min(FEW, x.shape[1]))
            return [Some(f"step {t + 1}, code {int(x[0, t])}", numbers_of(out[0, t])) for t in steps]
        case recurrent.Positional():
            terms = {"x": float(x[0, 0, 0]), "p": float(part.table[0, 0])}
            return [Formula("step 1, number 1", "x + p", "{x} + {p}", terms, float(out[0, 0, 0]))]
        case recurrent.Attention():
            return [_attention(part, x, _real(x, passed.before))]
        case recurrent.Recurrent():
            return _recurrent(part, x, out, _real(x, passed.before))
        case stack.Residual():
            return [_residual(part, passed, seen[part.layers].output)]
    return []


def _real(sequence: Tensor, lengths: stack.Lengths) -> int:
    """Steps of the one example that are no padding."""
    return sequence.shape[1] if lengths is None else int(lengths[0])


def _few(tensor: Tensor, step: int = 0) -> list[tuple[str, int, float]]:
    """Some numbers: their names, their channel or feature, and themselves. Of an image in its middle."""
    match tensor.ndim:
        case 4:
            row, column = tensor.shape[2] // 2, tensor.shape[3] // 2
            values, where = tensor[0, :, row, column], f", row {row + 1}, column {column + 1}"
            what = "channel"
        case 3:
            values, where, what = tensor[0, step], f", step {step + 1}", "number"
        case _:
            values, where, what = tensor[0], "", "number"
    return [(f"{what} {i + 1}{where}", i, value) for i, value in enumerate(numbers_of(values[:FEW]).tolist())]


def _activation(function: Activation, passed: Passed, step: int) -> list[Detail]:
    pairs = zip(_few(passed.input, step), _few(passed.output, step), strict=True)
    return [activated(f"a of {name}", function, z, a) for (name, _, z), (_, _, a) in pairs]


def _convolution2d(product: spatial.Conv2d, x: Tensor, out: Tensor) -> Dot:
    """The first filter in the middle of the image."""
    around = product.extra
    if around is None:
        rows, columns = (int(pad) for pad in product.padding)  # numbers, for that is how it was built
        around = (columns, columns, rows, rows)
    padded = F.pad(x, around)[0]
    row, column = out.shape[2] // 2, out.shape[3] // 2
    for axis, index in ((1, row), (2, column)):
        places = index * product.stride[axis - 1] + product.dilation[axis - 1] * torch.arange(
            product.kernel_size[axis - 1]
        )
        padded = padded.index_select(axis, places)
    under = padded[: product.weight.shape[1]]  # of several groups the first filter sees the first
    name = f"z of filter 1, row {row + 1}, column {column + 1}"
    return _dot(name, product.weight[0], under, product.bias, 0, out[0, 0, row, column])


def _convolution1d(product: spatial.Conv1d, passed: Passed, step: int) -> Dot:
    """The first filter at a step."""
    conv = product.conv
    padded = F.pad(stack.silenced(passed.input, passed.before).transpose(1, 2), product.pads)[0]
    places = step * conv.stride[0] + conv.dilation[0] * torch.arange(conv.kernel_size[0])
    under = padded.index_select(1, places)[: conv.weight.shape[1]]
    return _dot(f"z of filter 1, step {step + 1}", conv.weight[0], under, conv.bias, 0, passed.output[0, step, 0])


def _linear(product: nn.Linear, x: Tensor, out: Tensor, unit: int, step: int) -> Dot:
    return _dot(f"z{unit + 1} at step {step + 1}", product.weight[unit], x, product.bias, unit, out[unit])


def _dot(name: str, weights: Tensor, inputs: Tensor, bias: Tensor | None, unit: int, value: Tensor) -> Dot:
    b = None if bias is None else float(bias[unit])
    return Dot(name, numbers_of(weights.flatten()), numbers_of(inputs.flatten()), b, float(value))


def _batch_norm(
    norm: nn.BatchNorm1d | nn.BatchNorm2d, before: list[tuple[str, int, float]], after: list[tuple[str, int, float]]
) -> list[Detail]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    found: list[Detail] = []
    for (name, i, z), (_, _, value) in zip(before, after, strict=True):
        numbers = {"z": z, "m": float(norm.running_mean[i]), "v": float(norm.running_var[i]), "e": norm.eps}
        numbers |= {"gain": float(norm.weight[i]), "shift": float(norm.bias[i])}
        symbols, template = "(z - mean) / √(variance + ε)·gain + shift", "({z} - {m}) / √({v} + {e})·{gain} + {shift}"
        found.append(Formula(f"n of {name}", symbols, template, numbers, value))
    return found


def _layer_norm(norm: nn.LayerNorm | nn.GroupNorm, x: Tensor, out: Tensor, step: int) -> list[Detail]:
    """Over all of a vector or an image, or over the features of one step."""
    over = x[0, step] if x.ndim == 3 else x[0]
    mean, variance = float(over.double().mean()), float(over.double().var(correction=0))
    found: list[Detail] = []
    for (name, i, z), (_, _, value) in zip(_few(x, step), _few(out, step), strict=True):
        numbers = {"z": z, "m": mean, "v": variance, "e": norm.eps}
        numbers |= {"gain": float(norm.weight[i]), "shift": float(norm.bias[i])}
        symbols, template = "(z - mean) / √(variance + ε)·gain + shift", "({z} - {m}) / √({v} + {e})·{gain} + {shift}"
        found.append(Formula(f"n of {name}", symbols, template, numbers, value))
    return found


def _pool(part: nn.MaxPool2d | nn.AvgPool2d | spatial.TimePool, x: Tensor, out: Tensor) -> list[Detail]:
    """The window in the middle of the first channel; of a sequence the first one."""
    if isinstance(part, spatial.TimePool):
        window = x[0, max(0, -part.padding) : part.size - part.padding, 0]
        name, value, largest = "step 1, number 1", float(out[0, 0, 0]), part.largest
    else:
        row, column = out.shape[2] // 2, out.shape[3] // 2
        window = x[0, 0]
        for axis, index in enumerate((row, column)):
            size, stride, padding = (_along(getattr(part, key), axis) for key in ("kernel_size", "stride", "padding"))
            start = index * stride - padding
            window = window.narrow(axis, max(start, 0), min(start + size, window.shape[axis]) - max(start, 0))
        name, value = f"channel 1, row {row + 1}, column {column + 1}", float(out[0, 0, row, column])
        largest = isinstance(part, nn.MaxPool2d)
    values = numbers_of(window).flatten().tolist()
    if len(values) > MOST_IN_WINDOW:
        return [Some(f"{name}: {value:.4g} of the window", numbers_of(window).flatten())]
    terms = {f"x{index}": each for index, each in enumerate(values)}
    places = [f"{{{key}}}" for key in terms]
    if largest:
        return [Formula(name, "the largest of the window", f"max({', '.join(places)})", terms, value)]
    return [Formula(name, "the mean of the window", f"({' + '.join(places)}) / {len(values)}", terms, value)]


def _along(setting: int | tuple[int, ...], axis: int) -> int:
    return setting if isinstance(setting, int) else setting[axis]


def _attention(part: recurrent.Attention, x: Tensor, num_steps: int) -> Some:
    """How much the last step of the first head looks at each step."""
    last = num_steps - 1
    query, key, _ = part.qkv(x)[0, : last + 1].view(last + 1, 3, part.heads, part.width)[:, :, 0].unbind(1)
    shares = torch.softmax(key @ query[last] / math.sqrt(part.width), dim=0)
    return Some(f"head 1: how much step {last + 1} looks at steps 1 to {last + 1}", numbers_of(shares))


def _recurrent(part: recurrent.Recurrent, x: Tensor, out: Tensor, num_steps: int) -> list[Detail]:
    """The first unit of the lowest layer at the first step, where there is no state yet; then what comes out."""
    cell = part.cells[0]
    assert isinstance(cell, nn.RNN | nn.GRU | nn.LSTM)
    found: list[Detail] = []
    if isinstance(cell, nn.LSTM):
        found += _lstm(cell, x[0, 0])
    elif isinstance(cell, nn.GRU):
        found += _gru(cell, x[0, 0])
    else:
        z = _gate("z", cell, x[0, 0], 0)
        function: Activation = "tanh" if cell.nonlinearity == "tanh" else "relu"
        value = math.tanh(z.value) if function == "tanh" else max(0.0, z.value)
        found += [z, activated("h", function, z.value, value)]
    last = out[0, num_steps - 1] if out.ndim == 3 else out[0]
    return [*found, Some("the last state" if out.ndim == 3 else "the state after the last step", numbers_of(last))]


def _gate(name: str, cell: nn.RNN | nn.GRU | nn.LSTM, x: Tensor, gate: int, state_bias: bool = True) -> Dot:
    """W·x + b of a gate's first unit, its two biases as one; the state adds nothing, for at first it is 0."""
    row, bias = gate * cell.hidden_size, None
    if cell.bias:
        bias = float(_rows(cell, "bias_ih")[row]) + (float(_rows(cell, "bias_hh")[row]) if state_bias else 0.0)
    weights, inputs = numbers_of(_rows(cell, "weight_ih")[row]), numbers_of(x)
    return Dot(name, weights, inputs, bias, float(weights @ inputs) + (bias or 0.0))


def _rows(cell: nn.Module, name: str) -> Tensor:
    """A parameter of one of torch's recurrent cells, gate below gate."""
    found = getattr(cell, f"{name}_l0")
    assert isinstance(found, Tensor)
    return found


def _sigmoid(name: str, z: float) -> Formula:
    return activated(name, "sigmoid", z, sigmoid(z))


def _lstm(cell: nn.LSTM, x: Tensor) -> list[Detail]:
    i, g, o = (_gate(f"z{name}", cell, x, gate) for name, gate in (("i", 0), ("c", 2), ("o", 3)))
    gates = [_sigmoid("i", i.value), _sigmoid("o", o.value)]
    c = gates[0].value * math.tanh(g.value)
    return [
        i, gates[0], g,
        Formula("c", "i·tanh(zc)", "{i}·tanh({g})",
                {"i": gates[0].value, "g": g.value}, c),
        o, gates[1],
        Formula("h", "o·tanh(c)", "{o}·tanh({c})", {"o": gates[1].value, "c": c},
                gates[1].value * math.tanh(c)),
    ]  # fmt: skip


def _gru(cell: nn.GRU, x: Tensor) -> list[Detail]:
    r, u, n = (_gate(f"z{name}", cell, x, gate, gate < 2) for name, gate in (("r", 0), ("u", 1), ("n", 2)))
    reset, update = _sigmoid("r", r.value), _sigmoid("u", u.value)
    bias = float(_rows(cell, "bias_hh")[2 * cell.hidden_size]) if cell.bias else 0.0
    numbers = {"n": n.value, "r": reset.value, "b": bias}
    new = math.tanh(n.value + reset.value * bias)
    return [
        r, reset, u, update, n,
        Formula("n", "tanh(zn + r·c), c a bias", "tanh({n} + {r}·{b})", numbers, new),
        Formula("h", "(1 - u)·n", "(1 - {u})·{n}", {"u": update.value, "n": new}, (1 - update.value) * new),
    ]  # fmt: skip


def _residual(part: stack.Residual, passed: Passed, inside: Tensor) -> Formula:
    """The first number of both ways, and their sum."""
    shortcut = passed.input if part.projection is None else part.projection(passed.input)
    (name, _, x), (_, _, other), (_, _, value) = (_few(each)[0] for each in (shortcut, inside, passed.output))
    symbols = "x + layers(x)" if part.projection is None else "projection(x) + layers(x)"
    return Formula(name, symbols, "{x} + {y}", {"x": x, "y": other}, value)
