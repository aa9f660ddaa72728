"""What a mistaken word probably meant: a slip of the keys, another tool's name, or a key of another section."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nettool.config.layer_types import Activation
from nettool.config.layers import LAYERS
from nettool.config.schema import NAMED_SECTIONS, SECTIONS
from nettool.config.yaml import resolve_scalar
from nettool.errors import ConfigPath

OTHER_NAMES = {
    # keys
    "learning_rate": "lr", "model": "layers", "network": "layers", "dataset": "data", "criterion": "loss",
    "max_epochs": "epochs", "file": "path", "label": "target", "neurons": "units", "size": "units",
    "tolerance": "min_delta", "kernel_size": "size", "kernel": "size", "pool_size": "size", "strides": "stride",
    "out_channels": "filters", "num_heads": "heads", "n_heads": "heads", "hidden_size": "units",
    "num_layers": "layers", "d_model": "width", "embedding_dim": "width", "dim_feedforward": "feedforward",
    "seq_length": "length", "sequence_length": "length", "block_size": "length", "vocab_size": "vocabulary",
    "normalize": "normalise", "augmentation": "augment", "return_sequences": "returns",
    # layers
    "linear": "dense", "fc": "dense", "hidden": "dense", "fully_connected": "dense", "norm": "batch_norm",
    "conv": "conv2d", "convolution": "conv2d", "conv2": "conv2d", "maxpool": "max_pool", "maxpool2d": "max_pool",
    "maxpooling2d": "max_pool", "pool": "max_pool", "avgpool": "avg_pool", "averagepooling2d": "avg_pool",
    "globalaveragepooling2d": "global_avg_pool", "adaptive_avg_pool": "global_avg_pool", "gap": "global_avg_pool",
    "batchnorm": "batch_norm", "batchnorm2d": "batch_norm", "batchnormalization": "batch_norm",
    "layernorm": "layer_norm", "layernormalization": "layer_norm", "embed": "embedding", "unflatten": "reshape",
    "self_attention": "attention", "multi_head_attention": "attention", "multiheadattention": "attention",
    "transformer_block": "transformer", "transformer_encoder": "transformer", "positional_encoding": "positional",
    # activations, first weights, devices, kinds of columns
    "none": "linear", "identity": "linear", "swish": "silu", "kaiming": "he", "glorot": "xavier", "gpu": "cuda",
    "int": "number", "float": "number", "numeric": "number", "string": "category", "str": "category",
    "bool": "boolean",
    # losses, metrics, optimizers
    "mean_squared_error": "mse", "l2": "mse", "mean_absolute_error": "mae", "l1": "mae",
    "bce": "binary_cross_entropy", "ce": "cross_entropy", "softmax": "cross_entropy", "nll": "cross_entropy",
    "acc": "accuracy", "auc": "auroc", "roc_auc": "auroc", "momentum": "sgd", "val_loss": "validation_loss",
    "loss": "validation_loss",
}  # fmt: skip
"""What lectures and other tools call things, and nettool's word for it."""

ACTIVATIONS = Activation.__args__  # type: ignore[attr-defined]


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """` Did you mean "..."?` with the known name that is nearest, or nothing."""
    by_lower = {name.lower(): name for name in known}
    lower = word.lower()
    other = OTHER_NAMES.get(re.sub(r"[\s-]", "_", lower))
    if lower not in by_lower and other in by_lower:
        return f' Did you mean "{other}"?'
    matches = difflib.get_close_matches(lower, by_lower, n=1, cutoff=cutoff)
    return f' Did you mean "{by_lower[matches[0]]}"?' if matches else ""


def unknown_key(path: ConfigPath, known: Sequence[str], owner: Any) -> str:
    """Why there is no such key, and where it may belong. known: the keys beside it. owner: whose keys they are."""
    *parents, key = path
    key = str(key)
    if path == ("base",):
        return "only a file has a base; name the file that you mean instead of this one."
    if path == ("sweep",):
        return "says what `nettool sweep` varies. Train with that, or name a config without this section."
    if re.fullmatch(r"\d+", key):
        return "no such key. A decimal number is written with a point, such as 0.1."
    if match := re.fullmatch(r"([\w.]+):\S*", key):
        return f"no such key. A space is needed after the colon: `{match[1]}: ...`."
    if re.fullmatch(r"\w+(\.\w+)+", key):
        section, _, rest = key.partition(".")
        return f"keys with points are for the command line; in a file, write `{rest}:` below `{section}:`."
    if owner == "output" and key == "units":
        return "leave it out: the units of output follow from target and loss."
    if len(parents) == 1 and parents[0] in NAMED_SECTIONS and isinstance(owner, str):
        choices = NAMED_SECTIONS[str(parents[0])]
        others = [other for other, spec in choices.items() if key in spec.model_fields]
        if others and owner in choices:
            return f"{owner} has no {key}; {_listed(others)} {'have' if len(others) > 1 else 'has'} one."
    if owner in LAYERS and key in ("activation", "dropout", "init"):  # which, at the top, do not reach it either
        return f"{owner} has no {key}. The keys here are {', '.join(known)}."
    here = tuple(parents)
    guess = nearest(key, known, cutoff=0.8) or _elsewhere(here, key)
    guess = guess or _elsewhere(here, OTHER_NAMES.get(key.lower(), key)) or nearest(key, known, cutoff=0.7)
    listed = f" The keys here are {', '.join(known)}." if known else ""
    return f"no such key.{guess or listed}"


def _elsewhere(here: ConfigPath, key: str) -> str:
    """Where a key of this name does exist."""
    for section, fields in _sections():
        if key in fields and section != here:
            if not section:
                return f' Did you mean "{key}" at the top of the file, not inside {here[0]}?'
            return f' Did you mean "{".".join(str(part) for part in (*section, key))}"?'
    if here:
        return ""
    if key in LAYERS:
        return f" {key} is a layer: make it an item of `layers`."
    owners = [name for name, spec in LAYERS.items() if key in spec.model_fields]
    return f" It is a setting of a layer: `- {owners[0]}: {{{key}: ...}}`." if owners else ""


def _sections() -> Iterator[tuple[ConfigPath, set[str]]]:
    for path, spec in SECTIONS.items():
        yield path, set(spec.model_fields)
    for section, choices in NAMED_SECTIONS.items():
        yield (section,), {key for spec in choices.values() for key in spec.model_fields if key != "name"}


def unknown_layer(name: str, known: Sequence[str]) -> str:
    """Why there is no such layer, and how the one that is meant is written."""
    match = re.fullmatch(r"(\w+)\s*[\s(=]\s*([\w.]+)\)?", name)
    if match and match[1].lower() in known:
        return f'there is no layer "{name}". Did you mean `{match[1].lower()}: {match[2]}`?'
    if name.lower() in ACTIVATIONS and name.lower() != "linear":
        return f"{name} is an activation: write `- activation: {name.lower()}`."
    if name.lower() == "softmax":
        return "leave it out: the loss applies the softmax itself, and predictions are probabilities."
    guess = nearest(name, known) or f" The layers are {', '.join(known)}."
    return f'there is no layer "{name}".{guess}'


def meant_number(value: Any) -> str:
    """How a number that came as text is written, or a percentage that came as a whole number."""
    if isinstance(value, float) and value.is_integer():
        return f" Write {int(value)}."
    if not isinstance(value, str):
        return ""
    if _is_number(value):
        return " Remove the quotes."
    if match := re.fullmatch(r"([\d.]+)\s*%", value):
        return f" Write {float(match[1]) / 100:g}." if _is_number(match[1]) else ""
    if re.fullmatch(r"\d{1,3}([_, ']\d{3})+", value):
        return f" Write {re.sub('[^0-9]', '', value)}."
    if match := re.fullmatch(r"(\d+),\s*([a-z_]+)", value):
        return f" Give settings by name: `{{units: {match[1]}, activation: {match[2]}}}`."
    if ".." in value or re.fullmatch(r"[^,]*\.[^,]*(,[^,]+)+|\d+(,\d+){2,}", value):
        return " To train with several values: nettool sweep."
    if re.fullmatch(r"\d+,\d+", value):
        return f" Write {value.replace(',', '.')}, with a point."
    return ""


def _is_number(text: str) -> bool:
    try:
        return isinstance(resolve_scalar(text), (int, float)) and text.lower() not in ("true", "false")
    except ValueError:
        return False


def _listed(words: Sequence[str]) -> str:
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"
