"""What the first layer of a run looks for: its filters, or the weights of each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nettool.analysis.filters import Filters, convolutions, first_dense
from nettool.analysis.outcomes import Array, Classified
from nettool.config.convolutions import Conv1d, Conv2d
from nettool.config.signature import Image
from nettool.data.dataset import to_tensor
from nettool.data.encoders import TableEncoder
from nettool.data.examples import Windows
from nettool.data.image_encoder import ImageEncoder
from nettool.data.series import SeriesEncoder
from nettool.workflows.pictures.pixels import images_of
from nettool.workflows.pictures.registry import captioned
from nettool.workflows.pictures.subject import Subject, Unsuitable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def filters_of(subject: Subject) -> Figure:
    """Raises Unsuitable where the first layer sees no image and nothing is convolved."""
    from nettool.plots.filters import filters_over_images, filters_over_time

    trained = subject.trained
    if not any(isinstance(layer.spec, Conv1d | Conv2d) for layer in trained.plan.leaves()):
        return _weights_of_pixels(subject)
    place, what = _example(subject)
    features = to_tensor(subject.examples.take(np.array([place])).features, trained.device)[0:1]
    with subject.computing():
        found = convolutions(trained.network, trained.plan, features)
    first = found[0]
    if first.in_time:
        return captioned(subject, filters_over_time(first, _inputs(subject, first), what))
    beside = [layer for layer in found if not layer.in_time]
    return captioned(subject, filters_over_images(beside, _shown(subject, place), what))


def _example(subject: Subject) -> tuple[int, str]:
    """The first that is predicted right, and what it is in words."""
    outcome = next(iter(subject.outcomes.values()), None)
    if isinstance(outcome, Classified) and outcome.is_right.any():
        place = int(outcome.is_right.argmax())
        return int(outcome.places[place]), f"an example: {outcome.classes[int(outcome.actual[place])]}"
    return 0, f"the first {subject.split} example"


def _shown(subject: Subject, place: int) -> Array | None:
    """The example as an image, [height, width] or [height, width, 3]; None where it is none before it is convolved."""
    features = subject.examples.features
    if isinstance(features, Windows):
        return None
    layer = next(layer for layer in subject.trained.plan.leaves() if isinstance(layer.spec, Conv2d))
    grid = subject.pixels
    if grid is not None:
        image = images_of(subject, grid, subject.examples.rows[[place]])[0]
    elif isinstance(layer.input, Image) and features[place].size == layer.input.size:
        image = features[place].reshape(layer.input.channels, layer.input.height, layer.input.width)
    else:
        return None
    shown: Array = np.moveaxis(image, 0, -1) if len(image) == 3 and image.dtype == np.uint8 else image.mean(axis=0)
    return shown


def _inputs(subject: Subject, layer: Filters) -> tuple[str, ...]:
    """What a kernel in time sees at each step, where that is columns of a series."""
    encoder = subject.trained.encoders.features
    names = encoder.rows.feature_names if isinstance(encoder, SeriesEncoder) else ()
    return names if len(names) == layer.kernels.shape[1] else ()


def _weights_of_pixels(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.filters import weights_of_pixels

    trained, encoder = subject.trained, subject.trained.encoders.features
    found = first_dense(trained.network, trained.plan)
    weights: Array | None = None
    if found is not None and isinstance(encoder, ImageEncoder):
        weights = found[1].reshape(-1, encoder.channels, encoder.height, encoder.width)
    elif found is not None and isinstance(encoder, TableEncoder) and (grid := subject.pixels) is not None:
        placed = np.full((len(found[1]), len(grid.names)), np.nan)
        placed[:, [grid.names.index(column.name) for column in encoder.columns]] = found[1]
        weights = placed.reshape(-1, *grid.shape)
    if found is None or weights is None:
        raise Unsuitable(
            "filters: the network has no convolutions, and its first layer sees no image. Look at weights, network and "
            "importance; of embeddings and attention there are pictures of their own."
        )
    name, _ = found
    is_output = name.endswith("(output)") and len(subject.output_names) == len(weights)
    names = subject.output_names if is_output else ()
    return caption(weights_of_pixels(name, weights, names), subject.run.path.name)
