"""Augmentation: every motion against numpy and scipy, which know nothing of torch's grids."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from nettool.config.inputs import AugmentSpec
from nettool.data.augment import NUM_DRAWS, Augmenter, affine_maps, resample

SIZES = st.integers(1, 12)
SPECS = st.builds(
    AugmentSpec,
    flip=st.sampled_from([None, "horizontal", "vertical", "both"]),
    shift=st.sampled_from([0.0, 0.5, 3.0, 40.0]),
    rotate=st.sampled_from([0.0, 10.0, 180.0]),
    crop=st.sampled_from([0.0, 0.3, 0.9]),
)


def photos(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draws(count: int = 1, **chosen: float) -> Tensor:
    """The numbers that change nothing, but for those chosen."""
    names = ["horizontal", "vertical", "crop", "crop_x", "crop_y", "angle", "shift_x", "shift_y"]
    still = {"horizontal": 0.9, "vertical": 0.9, "crop": 0.0}
    return torch.tensor([[chosen.get(name, still.get(name, 0.5)) for name in names]] * count, dtype=torch.float64)


def moved(spec: AugmentSpec, images: Tensor, **chosen: float) -> np.ndarray:
    height, width = images.shape[2:]
    maps = affine_maps(spec, draws(len(images), **chosen), height, width)
    return resample(images.float(), maps).numpy()


def by_scipy(images: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The same maps, but in (row, column) from the corner, and another's interpolation."""
    found = np.empty(images.shape)
    centre = (np.array(images.shape[2:]) - 1) / 2
    for index, (channels, affine) in enumerate(zip(images, maps, strict=True)):
        linear, offset = affine[::-1, 1::-1], affine[::-1, 2]
        corner = centre - linear @ centre + offset
        for channel, plane in enumerate(channels):
            found[index, channel] = ndimage.affine_transform(plane, linear, corner, order=1, mode="nearest")
    return found


# One motion at a time


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32, torch.float64])
def test_nothing_asked_for_is_nothing_done(kind: torch.dtype) -> None:
    images = photos(3, 2, 5, 7)
    out = Augmenter(AugmentSpec())(images.to(kind), generator())
    assert out.dtype == torch.float32
    assert torch.equal(out, images.float())


@pytest.mark.parametrize(
    ("flip", "kinds"), [("horizontal", {"", "x"}), ("vertical", {"", "y"}), ("both", {"", "x", "y", "xy"})]
)
def test_flips_alone_keep_every_pixel_exactly(flip: Any, kinds: set[str]) -> None:
    images = photos(400, 2, 3, 4)
    out = Augmenter(AugmentSpec(flip=flip))(images, generator()).numpy()
    plain = images.numpy().astype(np.float32)
    mirrors = {"": plain, "x": plain[..., ::-1], "y": plain[..., ::-1, :], "xy": plain[..., ::-1, ::-1]}
    counts = {kind: int((out == mirrors[kind]).all(axis=(1, 2, 3)).sum()) for kind in mirrors}
    assert sum(counts.values()) == 400
    assert {kind for kind, count in counts.items() if count} == kinds
    assert all(abs(counts[kind] - 400 / len(kinds)) < 60 for kind in kinds)


@pytest.mark.parametrize("shape", [(2, 1, 28, 28), (2, 3, 5, 9), (2, 1, 9, 4)])
@pytest.mark.parametrize(("x", "y"), [(2, 0), (0, -3), (-1, 1), (3, 3)])
def test_a_shift_by_whole_pixels_moves_them_and_repeats_the_edge(shape: tuple[int, ...], x: int, y: int) -> None:
    images = photos(*shape)
    out = moved(AugmentSpec(shift=3), images, shift_x=(x + 3) / 6, shift_y=(y + 3) / 6)
    wide = np.pad(images.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), mode="edge")
    np.testing.assert_allclose(out, wide[:, :, 3 - y : 3 - y + shape[2], 3 - x : 3 - x + shape[3]], atol=1e-3)


@pytest.mark.parametrize("side", [4, 7])
@pytest.mark.parametrize(("angle", "turns"), [(1.0, 1), (0.0, -1)])
def test_a_quarter_turn_of_a_square_is_that_of_numpy(side: int, angle: float, turns: int) -> None:
    images = photos(2, 3, side, side)
    out = moved(AugmentSpec(rotate=90), images, angle=angle)
    np.testing.assert_allclose(out, np.rot90(images.numpy(), turns, axes=(2, 3)), atol=1e-3)


@pytest.mark.parametrize(("angle", "place"), [(1.0, (7 - 4, 20)), (0.0, (7 + 4, 20)), (0.5, (7, 24))])
def test_a_turn_keeps_distances_in_an_image_that_is_no_square(angle: float, place: tuple[int, int]) -> None:
    images = torch.zeros(1, 1, 15, 41)
    images[0, 0, 7, 24] = 255  # four pixels to the right of the centre
    out = moved(AugmentSpec(rotate=90), images, angle=angle)[0, 0]
    assert np.unravel_index(out.argmax(), out.shape) == place
    assert out.max() == pytest.approx(255, abs=0.01)
    assert out.sum() == pytest.approx(255, abs=0.1)


def test_a_crop_shows_a_part_of_the_image_as_large_as_the_whole() -> None:
    ramp = torch.arange(16.0).repeat(8, 1)[None, None]
    left = moved(AugmentSpec(crop=0.5), ramp, crop=1.0, crop_x=0.0, crop_y=0.0)[0, 0]
    right = moved(AugmentSpec(crop=0.5), ramp, crop=1.0, crop_x=1.0, crop_y=0.0)[0, 0]
    np.testing.assert_allclose(left[0], np.clip(np.arange(16) / 2 - 0.25, 0, 15), atol=1e-4)
    np.testing.assert_allclose(right[0], np.clip(np.arange(16) / 2 + 7.75, 0, 15), atol=1e-4)


def test_an_image_is_cropped_then_mirrored_then_turned_then_moved() -> None:
    spec = AugmentSpec(flip="both", rotate=90, crop=0.5, shift=2)
    images = photos(2, 1, 12, 12)
    cropped = moved(spec, images, crop=1.0, crop_x=0.2, crop_y=0.9)
    turned = np.rot90(cropped[..., ::-1], axes=(2, 3))
    out = moved(spec, images, crop=1.0, crop_x=0.2, crop_y=0.9, horizontal=0.1, angle=1.0, shift_x=1.0, shift_y=0.25)
    np.testing.assert_allclose(out[:, :, :-1, 2:], turned[:, :, 1:, :-2], atol=1e-3)


def test_noise_has_the_deviation_asked_for_and_is_another_for_every_pixel() -> None:
    grey = torch.full((20, 3, 16, 16), 128, dtype=torch.uint8)
    noise = Augmenter(AugmentSpec(noise=0.1))(grey, generator()) - 128
    assert noise.mean().item() == pytest.approx(0, abs=1)
    assert noise.std().item() == pytest.approx(25.5, rel=0.03)
    assert len(noise.unique()) > 0.9 * noise.numel()


# All of them together


@given(SPECS, st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), SIZES, SIZES), st.integers(0, 2**31))
@settings(max_examples=80)
def test_all_motions_together_are_what_scipy_makes_of_them(
    spec: AugmentSpec, shape: tuple[int, ...], seed: int
) -> None:
    images = photos(*shape, seed=seed)
    maps = affine_maps(
        spec,
        torch.rand(shape[0], NUM_DRAWS, dtype=torch.float64, generator=generator(seed)),
        *shape[2:],
    )
    out = Augmenter(spec)(images, generator(seed)).numpy()
    np.testing.assert_allclose(out, by_scipy(images.numpy().astype(np.float64), maps.numpy()), atol=0.02)


@given(SPECS, st.integers(2, 30), st.integers(2, 30), st.integers(0, 2**31))
@settings(max_examples=80)
def test_motions_stay_within_what_was_asked_for(spec: AugmentSpec, height: int, width: int, seed: int) -> None:
    drawn = torch.rand(50, NUM_DRAWS, dtype=torch.float64, generator=generator(seed))
    for a in affine_maps(spec, drawn, height, width).numpy():
        linear = a[:, :2]
        scale = math.sqrt(abs(np.linalg.det(linear)))
        assert 1 - spec.crop - 1e-9 <= scale <= 1 + 1e-9
        # A turn, a mirror and one scale: no shear, and no side that grows more than the other.
        np.testing.assert_allclose(linear @ linear.T, scale**2 * np.eye(2), atol=1e-9)
        # Where the centre comes from: undone, the shift is one of pixels of the changed image.
        sides = np.array([width, height])
        furthest = (1 - scale) / 2 * sides + scale * math.sqrt(2) * spec.shift
        assert (np.abs(a[:, 2]) <= furthest + 1e-9).all()
        if spec.flip is None:
            assert abs(math.degrees(math.atan2(linear[1, 0], linear[0, 0]))) <= spec.rotate + 1e-6


@given(
    SPECS, st.sampled_from([0.0, 1.0]), st.sampled_from([torch.uint8, torch.float32]), SIZES, SIZES, st.integers(0, 99)
)
@settings(max_examples=60)
def test_images_keep_their_shape_and_range_and_the_originals_stay(
    spec: AugmentSpec, noise: float, kind: torch.dtype, height: int, width: int, seed: int
) -> None:
    images = photos(4, 1, height, width, seed=seed).to(kind)
    before = images.clone()
    out = Augmenter(spec.model_copy(update={"noise": noise}))(images, generator(seed))
    assert (out.shape, out.dtype) == (images.shape, torch.float32)
    assert 0 <= out.min().item() <= out.max().item() <= 255
    assert torch.equal(images, before)


def test_an_even_image_stays_even_up_to_its_edge() -> None:
    spec = AugmentSpec(flip="both", shift=9, rotate=180, crop=0.5)
    out = Augmenter(spec)(torch.full((50, 3, 9, 14), 200, dtype=torch.uint8), generator())
    assert (out - 200).abs().max().item() < 1e-2


# Chance


def test_the_same_state_of_the_generator_gives_the_same_images() -> None:
    augment = Augmenter(AugmentSpec(flip="both", shift=2, rotate=15, crop=0.2, noise=0.05))
    images = photos(8, 3, 12, 10)
    source = generator(7)
    first, second = augment(images, source), augment(images, source)
    assert torch.equal(augment(images, generator(7)), first)
    assert not torch.equal(first, second)


def test_nothing_is_drawn_from_the_global_generator() -> None:
    state = torch.get_rng_state()
    Augmenter(AugmentSpec(flip="both", shift=2, noise=0.1))(photos(2, 1, 4, 4), generator())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("setting", [{"shift": 3}, {"rotate": 30}, {"crop": 0.5}, {"noise": 0.1}])
def test_every_image_of_a_batch_is_changed_in_its_own_way(setting: dict[str, float]) -> None:
    images = photos(1, 1, 16, 16).expand(10, -1, -1, -1)
    out = Augmenter(AugmentSpec(**setting))(images, generator())
    assert len(torch.unique(out, dim=0)) == 10


def test_channels_move_together() -> None:
    grey = photos(6, 1, 10, 8).expand(-1, 3, -1, -1)
    out = Augmenter(AugmentSpec(flip="both", shift=2, rotate=40, crop=0.3))(grey, generator())
    assert torch.equal(out[:, 0], out[:, 1])
    assert torch.equal(out[:, 0], out[:, 2])


def test_one_setting_leaves_what_another_draws_as_it_is() -> None:
    images = photos(64, 1, 8, 8)
    flipped = Augmenter(AugmentSpec(flip="horizontal"))(images, generator())
    both = Augmenter(AugmentSpec(flip="horizontal", crop=1e-9, rotate=1e-9))(images, generator())
    torch.testing.assert_close(both, flipped, atol=1e-2, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no second device")
def test_every_device_makes_the_same_images() -> None:
    augment = Augmenter(AugmentSpec(flip="both", shift=2, rotate=15, crop=0.2, noise=0.05))
    images = photos(8, 3, 33, 20)
    out = augment(images.cuda(), generator())
    assert out.is_cuda
    torch.testing.assert_close(out.cpu(), augment(images, generator()), atol=1e-2, rtol=0)
