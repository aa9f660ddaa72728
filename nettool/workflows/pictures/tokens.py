"""Tokens and levels: their embeddings, and what attention makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from nettool.analysis.attention import attention_maps, has_attention
from nettool.analysis.columns import encoded_columns
from nettool.analysis.embeddings import Embedded, embedded
from nettool.analysis.layers import leaf_modules
from nettool.analysis.outcomes import Array
from nettool.data.dataset import to_tensor
from nettool.data.encoders import TableEncoder
from nettool.data.examples import Split, Windows
from nettool.data.features import FIRST_LEVEL, MISSING, CategoryColumn
from nettool.data.series import SeriesEncoder
from nettool.data.text_encoder import StreamEncoder, TextEncoder
from nettool.data.vocabulary import Vocabulary
from nettool.model.blocks import Embedding, TableInput
from nettool.workflows.pictures.subject import Subject, Unsuitable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def embeddings_of(subject: Subject) -> Figure:
    """Raises Unsuitable for a network without embeddings."""
    from nettool.plots.embeddings import embeddings

    network = subject.trained.network
    if not any(isinstance(module, Embedding) for module in network.modules()):
        raise Unsuitable(
            "embeddings: the network has none: they stand for the tokens of a text, and for categories of more than 32 "
            "levels. Look at weights and importance."
        )
    tables = [table for table in (*_of_columns(subject), *_of_tokens(subject)) if len(table.names) > 2]
    if not tables:
        raise Unsuitable("embeddings: training saw too few different ones; three are needed for a plane.")
    return embeddings(tables)


def _source(split: Split) -> Array:
    """All encoded rows or tokens, each once."""
    return split.features.source if isinstance(split.features, Windows) else split.features


def _of_columns(subject: Subject) -> Iterator[Embedded]:
    """Those of the categories of a table."""
    inputs, encoder = subject.trained.network.inputs, subject.trained.encoders.features
    if not isinstance(inputs, TableInput):
        return
    rows = encoder.rows if isinstance(encoder, SeriesEncoder) else encoder
    assert isinstance(rows, TableEncoder)
    places = {each.name: each.place.start for each in encoded_columns(encoder)}
    columns = [column for column in rows.columns if isinstance(column, CategoryColumn) and column.embedded]
    source = _source(subject.train)
    for column, table in zip(columns, inputs.embeddings, strict=True):
        assert isinstance(table, Embedding)
        names = [*(["(missing)"] if column.missing else []), *column.levels]
        first = MISSING if column.missing else FIRST_LEVEL
        counts = np.bincount(source[:, places[column.name]].astype(np.int64), minlength=column.num_codes)
        vectors = table.weight.detach().cpu().double().numpy()
        yield embedded(column.name, names, vectors[first:], counts[first:])


def _of_tokens(subject: Subject) -> Iterator[Embedded]:
    """Those of the tokens of a text."""
    trained = subject.trained
    encoder = trained.encoders.features
    if not isinstance(encoder, StreamEncoder | TextEncoder):
        return
    vocabulary = encoder.vocabulary
    for name, _, module in leaf_modules(trained.network, trained.plan):
        table = getattr(module, "table", None)
        if isinstance(table, Embedding):
            counts = np.bincount(_source(subject.train).ravel(), minlength=vocabulary.size)[vocabulary.first :]
            vectors = table.weight.detach().cpu().double().numpy()[vocabulary.first :]
            yield embedded(name, names_of(vocabulary, range(vocabulary.first, vocabulary.size)), vectors, counts)


def names_of(vocabulary: Vocabulary, codes: Array | range) -> list[str]:
    """What each code stands for; of a byte that is no letter its number, 0xff."""
    names = []
    for code in map(int, codes):
        unit = vocabulary.units[code - vocabulary.first] if code >= vocabulary.first else "(unknown)"
        is_byte = vocabulary.unit == "byte" and code >= vocabulary.first
        names.append(f"{ord(unit):#04x}" if is_byte and not unit.isascii() else unit)
    return names


def attention_of(subject: Subject) -> Figure:
    """Raises Unsuitable for a network without attention."""
    from nettool.plots.attention import MOST_TOKENS, attention

    trained = subject.trained
    if not has_attention(trained.network):
        raise Unsuitable(
            "attention: the network has no attention or transformer layers. Look at activations and weights, of "
            "convolutions at filters, and of texts at embeddings and samples."
        )
    place = _readable(subject, MOST_TOKENS)
    features = to_tensor(subject.examples.take(np.array([place])).features, trained.device)[0:1]
    num_steps = features.shape[1]
    if isinstance(trained.encoders.features, StreamEncoder):  # where no token sees a later one, these change nothing
        features = features[:, :MOST_TOKENS]
    with subject.computing():
        maps = attention_maps(trained.network, trained.plan, features)
    num = len(maps[0].weights[0])
    tokens = _tokens(subject, features, num) if all(len(one.weights[0]) == num for one in maps) else []
    num_steps = num_steps if tokens and isinstance(trained.encoders.features, StreamEncoder) else num
    unit = "tokens" if tokens else "steps"
    note = f"the first {MOST_TOKENS} of {num_steps} {unit}" if num_steps > MOST_TOKENS else ""
    return attention(maps, tokens or [str(step) for step in range(1, num + 1)], unit, note)


def _tokens(subject: Subject, features: Tensor, num: int) -> list[str]:
    """What the steps of the maps stand for; nothing where they are no tokens, as of a series or behind a pooling."""
    encoder = subject.trained.encoders.features
    if not isinstance(encoder, StreamEncoder | TextEncoder):
        return []
    codes = features[0].cpu().numpy()
    real = len(codes) if isinstance(encoder, StreamEncoder) else max(int((codes != 0).sum()), 1)
    return names_of(encoder.vocabulary, codes[:num]) if num in (real, len(codes)) else []


def _readable(subject: Subject, most: int) -> int:
    """The longest text that is shown whole, else the shortest; of a stream, and of a series, the first stretch."""
    features = subject.examples.features
    if isinstance(features, Windows) or not isinstance(subject.trained.encoders.features, TextEncoder):
        return 0
    lengths = (features != 0).sum(axis=1)
    fits = (lengths <= most) & (lengths > 0)
    return int(np.where(fits, lengths, -1).argmax() if fits.any() else lengths.argmin())
