"""What to say when a layer cannot take the shape that it is given."""

from __future__ import annotations

from nettool.config.convolutions import AvgPool, MaxPool
from nettool.config.layers import LayerSpec
from nettool.config.sequences import Recurrent
from nettool.config.signature import Flat, Image, Sequence, Shape, Tokens, describe_shape
from nettool.errors import ConfigPath
from nettool.model.plans import LayerPlan

NEEDS = {
    Flat: "a flat vector",
    Image: "an image (channels, height, width)",
    Sequence: "a sequence (time, features)",
    Tokens: "tokens, as text has them",
}
EMBED = "Put `- embedding: 64` before it."


class Misfit(Exception):
    """A layer that does not fit. keys: which of its settings is to blame; none for the whole layer."""

    def __init__(self, text: str, *keys: str) -> None:
        super().__init__(text)
        self.text = text
        self.keys: ConfigPath = keys


def wrong_shape(spec: LayerSpec, shape: Shape, giver: LayerPlan | None, *accepted: type[Shape]) -> Misfit:
    """What the layer needs, what it gets from whom, and the cure. giver: the layer before; None for the data."""
    needs = " or ".join(NEEDS[kind] for kind in accepted)
    gives = f"{giver.name} gives" if giver else "the data gives"
    return Misfit(f"needs {needs}, but {gives} {describe_shape(shape)}. {_cure(spec, shape, giver, accepted)}")


def _cure(spec: LayerSpec, shape: Shape, giver: LayerPlan | None, accepted: tuple[type[Shape], ...]) -> str:
    if isinstance(shape, Tokens):
        return EMBED if Image not in accepted or Sequence in accepted else "Use `- embedding: 64` and conv1d."
    if Tokens in accepted:
        of_table = giver is None and isinstance(shape, Flat)
        why = "the categories of a table are embedded without being told" if of_table else "these are numbers already"
        return f"Leave it out: {why}."
    if Flat in accepted:
        return _flattening(shape, giver)
    if isinstance(shape, Flat):
        return _unflattening(spec, giver, accepted)
    if isinstance(shape, Sequence):
        return "Use conv1d for a sequence."
    return "Use conv2d for images" + (
        "." if spec.layer == "conv1d" else ", or put `- flatten` and `- reshape: [time, features]` before it."
    )


def _flattening(shape: Shape, giver: LayerPlan | None) -> str:
    """How an image or a sequence becomes a vector."""
    if isinstance(shape, Sequence) and giver is not None and isinstance(giver.spec, Recurrent):
        return f"Set `returns: last` in {giver.name}, or put `- global_avg_pool` before it."
    return "Put `- flatten` or `- global_avg_pool` before it."


def _unflattening(spec: LayerSpec, giver: LayerPlan | None, accepted: tuple[type[Shape], ...]) -> str:
    """How what was flattened stays an image or a sequence."""
    if giver is not None and isinstance(giver.spec, Recurrent):
        return f"Set `returns: sequence` in {giver.name}."
    if giver is not None and giver.spec.layer == spec.layer:
        return "Leave it out; once is enough."
    if giver is not None and giver.spec.layer in ("flatten", "global_avg_pool"):
        return f"Move it before the {giver.spec.layer}."
    if giver is not None:
        return f"Move it before {giver.name}."
    if Image in accepted:
        return "If its numbers are pixels, put `- reshape: [channels, height, width]` before it."
    return "For a table in time order set `data.window`; else put `- reshape: [time, features]` before it."


def steps_are_gone(joiner: LayerPlan) -> Misfit:
    """What to say of an output that is to predict at every step, behind a layer that made one vector of them."""
    cure = "Set `returns: sequence` there." if isinstance(joiner.spec, Recurrent) else "Take it out."
    return Misfit(f"needs a vector for each step, but {joiner.name} has made one of them all. {cure}")


def _pools(layers: tuple[LayerPlan, ...]) -> bool:
    return any(isinstance(layer.spec, MaxPool | AvgPool) or _pools(layer.inner) for layer in layers)


def residual_changes(shape: Shape, output: Shape, inner: tuple[LayerPlan, ...], *, can_project: bool) -> str:
    """What to say of a residual whose layers change the shape. can_project: whether a projection could follow."""
    text = (
        f"the layers inside give {describe_shape(output)}, but their input is {describe_shape(shape)}, and the two are "
        "added."
    )
    if can_project:
        return f"{text} End with a layer that gives the input's shape, or set `projection: true`."
    if type(shape) is type(output):
        pooling = "; in a pooling, `stride: 1` and half of an odd size as `padding`" if _pools(inner) else ""
        return f"{text} Set `padding: same` inside, so that the size stays{pooling}."
    if any(isinstance(layer.spec, Recurrent) for layer in inner):
        return f"{text} Set `returns: sequence` inside."
    return f"{text} Take the layer that makes something else of it out of the residual."
