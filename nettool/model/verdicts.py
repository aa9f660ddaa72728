"""What the layers of a network make it: linear by mistake, looking at what it is to predict, tied to its length, or
simple enough for backpropagation written out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nettool.config.convolutions import AvgPool, Conv1d, Flatten, MaxPool, Reshape
from nettool.config.layer_types import Product
from nettool.config.layers import (
    ActivationLayer,
    BatchNorm,
    CustomLayer,
    Dense,
    Dropout,
    LayerNorm,
    Output,
    Repeat,
)
from nettool.config.sequences import Attention, Recurrent, Transformer
from nettool.config.signature import Flat, Sequence
from nettool.errors import Mistake
from nettool.model.plans import LayerPlan, NetworkPlan


def linear_warning(plan: NetworkPlan) -> str | None:
    """A sentence where hidden layers exist but nothing between input and output is nonlinear."""
    leaves = list(plan.leaves())
    hidden = [layer for layer in leaves if isinstance(layer.spec, Product)]
    if not hidden or any(_bends(layer) for layer in leaves):
        return None
    return (
        f"this network is linear: its {len(hidden)} hidden layer{'s have' if len(hidden) > 1 else ' has'} "
        "no activation, and linear functions composed remain linear. "
        "For a network that can bend, set `activation: relu`."
    )


def _bends(layer: LayerPlan) -> bool:
    """Whether the layer is nonlinear in one example: batch norm is not, since it scales all examples alike."""
    spec = layer.spec
    has_layer_norm = isinstance(spec, LayerNorm) or (isinstance(spec, Product) and spec.norm == "layer_norm")
    bends = isinstance(spec, CustomLayer | MaxPool | Recurrent | Attention | Transformer)
    return layer.activation != "linear" or has_layer_norm or bends


def looks_ahead(plan: NetworkPlan) -> Iterator[Mistake]:
    """The layers through which a step sees later ones, which it is to predict."""
    seen = set()
    for layer in plan.leaves():
        found = _sight(layer)
        if found is not None and layer.path not in seen:
            seen.add(layer.path)
            key, cure = found
            text = f"lets a step see the ones after it, which the network is to predict (`target: next`). {cure}"
            yield Mistake((*layer.path, key), text)


def _sight(layer: LayerPlan) -> tuple[str, str] | None:
    """The setting that lets a layer look ahead, and the cure."""
    match layer.spec:
        case Attention(causal=False) | Transformer(causal=False):
            return "causal", "Set `causal: true`."
        case Recurrent(bidirectional=True):
            return "bidirectional", "Set `bidirectional: false`."
        case Conv1d(padding=padding, size=size) if padding != "causal" and size > 1:
            return "padding", "Set `padding: causal`."
        case Conv1d(stride=stride) if stride > 1:
            return "stride", "Set `stride: 1`."
        case MaxPool() | AvgPool():
            return "size", "Take the pooling out."
        case Reshape():
            return "shape", "Take it out, and what made a vector of all steps."
    return None


def needs_all_steps(plan: NetworkPlan) -> bool:
    """Whether the network works on as many steps as it was planned for and on no fewer.

    One layer is enough that makes a vector of all steps, or that leaves fewer of them (none, of too few); a layer that
    was added from Python may be one.
    """
    for layer in plan.leaves():
        before, after = layer.input, layer.output
        shortens = isinstance(before, Sequence) and isinstance(after, Sequence) and before.time != after.time
        if shortens or isinstance(layer.spec, Flatten | CustomLayer):
            return True
    return False


def norms_one_number(plan: LayerPlan) -> bool:
    """Whether the layer is or holds a batch norm that sees each feature of an example once: at one place, in a vector.

    A single step of a sequence is left as it is, see `TimeBatchNorm`.
    """
    is_norm = isinstance(plan.spec, BatchNorm) or getattr(plan.spec, "norm", None) == "batch_norm"
    return is_norm and not isinstance(plan.output, Sequence) and plan.output.size == plan.output.features


def without_closed_form(plan: NetworkPlan) -> str:
    """The first layer that backpropagation written out (`nettool.training.closed_form`) does not know, by its name.

    Nothing where it knows all of them.
    """
    first, *rest = plan.layers
    if not isinstance(first.spec, Flatten):
        return _without_closed_form(plan.layers)
    # Codes of categories lie in each row of a series; only a lone row is looked up.
    return first.name if plan.embeddings else _without_closed_form(rest)


def _without_closed_form(layers: Iterable[LayerPlan]) -> str:
    for layer in layers:
        match layer.spec:
            case Repeat():
                name = _without_closed_form(layer.inner)
            case Dense() | Output() | ActivationLayer() | Dropout() | BatchNorm() | LayerNorm():
                name = "" if isinstance(layer.input, Flat) else layer.name
            case _:
                name = layer.name
        if name:
            return name
    return ""
