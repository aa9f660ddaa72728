"""Random changes to training images, on whole batches and on the device where they are.

The random numbers are drawn on the cpu, so that a generator's state gives the same images on every device.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from nettool.config.inputs import AugmentSpec

NUM_DRAWS = 8
"""Random numbers of an image, drawn whatever is asked for: one setting changes nothing about another's."""


class Augmenter:
    """Changes a batch of images as an AugmentSpec says, each image in its own way.

    An image is cropped, mirrored, turned and moved, in this order but by one affine map, so that it is resampled
    once. What comes in from outside has the colour of the nearest edge. Noise is added last.
    """

    def __init__(self, spec: AugmentSpec) -> None:
        self._spec = spec

    @torch.no_grad()
    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Change the images.

        pixels: uint8, or float from 0 to 255, [batch, channels, height, width], on any device. generator: on the
        cpu. Returns float32 of the same shape, from 0 to 255; `pixels` stays as it is.
        """
        images = pixels.to(torch.float32)
        draws = torch.rand(len(pixels), NUM_DRAWS, dtype=torch.float64, generator=generator)
        if self._spec.shift or self._spec.rotate or self._spec.crop:
            height, width = pixels.shape[2:]
            images = resample(images, affine_maps(self._spec, draws, height, width))
        elif self._spec.flip:
            images = _mirror(images, *_flips(self._spec, draws))
        if self._spec.noise:
            noise = torch.randn(pixels.shape, dtype=torch.float32, generator=generator).to(images.device)
            images = torch.add(images, noise, alpha=255 * self._spec.noise).clamp_(0, 255)
        return images


def affine_maps(spec: AugmentSpec, draws: Tensor, height: int, width: int) -> Tensor:
    """Where in the image each pixel of the changed one comes from.

    draws: float64 [batch, 8], uniform from 0 to 1. Returns float64 [batch, 2, 3], A: what is seen at (x, y) after the
    change was at A (x, y, 1) before it, in pixels to the right of and below the image's centre.
    """
    sides = torch.tensor([width, height], dtype=torch.float64)
    scale = 1 - spec.crop * draws[:, 2:3]
    crop_centre = (draws[:, 3:5] - 0.5) * (1 - scale) * sides
    angle = math.radians(spec.rotate) * (2 * draws[:, 5] - 1)
    shift = spec.shift * (2 * draws[:, 6:8] - 1)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).view(-1, 2, 2)
    signs = 1 - 2 * torch.stack(_flips(spec, draws), dim=1).double()
    linear = (scale * signs)[:, :, None] * turn
    offset = crop_centre[:, :, None] - linear @ shift[:, :, None]
    return torch.cat([linear, offset], dim=2)


def resample(images: Tensor, maps: Tensor) -> Tensor:
    """Look the images up where the maps point to, bilinearly; outside of an image its edge goes on.

    images: float32 [batch, channels, height, width]. maps: [batch, 2, 3], as `affine_maps` makes them, on any device.
    """
    height, width = images.shape[2:]
    a = maps.to(torch.float32).to(images.device)[:, :, :, None, None]
    x = torch.arange(width, dtype=torch.float32, device=images.device) - (width - 1) / 2
    y = (torch.arange(height, dtype=torch.float32, device=images.device) - (height - 1) / 2)[:, None]
    # F.affine_grid is a matrix product, which is slower, and on cuda may round positions to 10 bits (tf32, autocast).
    from_x = a[:, 0, 0] * x + (a[:, 0, 1] * y + a[:, 0, 2])
    from_y = a[:, 1, 0] * x + (a[:, 1, 1] * y + a[:, 1, 2])
    # Clamped to the edge here and not by padding_mode="border", which torch 2.10 does not know on mps.
    from_x.clamp_((1 - width) / 2, (width - 1) / 2).mul_(2 / width)
    from_y.clamp_((1 - height) / 2, (height - 1) / 2).mul_(2 / height)
    return F.grid_sample(images, torch.stack([from_x, from_y], dim=3), align_corners=False)


def _flips(spec: AugmentSpec, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each image is mirrored left to right, and upside down: two bool [batch]."""
    return (
        (draws[:, 0] < 0.5) & (spec.flip in ("horizontal", "both")),
        (draws[:, 1] < 0.5) & (spec.flip in ("vertical", "both")),
    )


def _mirror(images: Tensor, horizontal: Tensor, vertical: Tensor) -> Tensor:
    """Mirror these images, exactly: bool [batch] for each direction, on the cpu."""
    for flipped, axis in ((horizontal, 3), (vertical, 2)):
        if flipped.any():
            images = torch.where(flipped.to(images.device)[:, None, None, None], images.flip(axis), images)
    return images
