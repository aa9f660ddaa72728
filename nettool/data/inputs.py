"""What encodes an example's input: the columns of a table, an image, a text, a stretch of a stream."""

from __future__ import annotations

from typing import Any

from nettool.data.encoders import TableEncoder
from nettool.data.image_encoder import ImageEncoder
from nettool.data.series import SeriesEncoder
from nettool.data.text_encoder import StreamEncoder, TextEncoder

FeatureEncoder = TableEncoder | ImageEncoder | TextEncoder | SeriesEncoder | StreamEncoder


def encoder_from_json(data: dict[str, Any]) -> FeatureEncoder:
    """The fitted encoder that its `to_json` wrote, by its `kind`."""
    for encoder in (TableEncoder, ImageEncoder, TextEncoder, SeriesEncoder, StreamEncoder):
        if encoder.kind == data["kind"]:
            fitted: FeatureEncoder = encoder.from_json(data)
            return fitted
    raise ValueError(f"no such kind of input: {data['kind']}")
