"""Batches for members: what each would be given alone."""

from __future__ import annotations

import pytest
import torch

from nettool.config.inputs import AugmentSpec
from nettool.data.augment import Augmenter
from nettool.data.dataset import Batch, Batching, Dataset
from nettool.data.member_batches import MemberBatching


def dataset(images: bool = False, weighted: bool = False) -> Dataset:
    features = torch.arange(22 * 18).view(22, 18).float()
    if images:
        features = (features % 251).to(torch.uint8).view(22, 2, 3, 3)
    return Dataset(features, torch.arange(22).to(torch.uint8), torch.arange(22).float() if weighted else None)


@pytest.mark.parametrize("augmented", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("size", "first"), [(5, 0), (5, 3), (22, 0)])
def test_each_is_given_what_it_would_be_given_alone(augmented: bool, weighted: bool, size: int, first: int) -> None:
    data = dataset(augmented, weighted)
    augment = Augmenter(AugmentSpec(flip="horizontal")) if augmented else None
    alone = [Batching(22, size, seed, augment=augment) for seed in (3, 4, 5)]
    members = MemberBatching(tuple(alone))
    assert members.own == (augmented or size < 22)
    if not members.own:
        return
    expected = [
        [Batch(*(None if p is None else p.clone() for p in b)) for b in each.batches(data, 7, first)] for each in alone
    ]
    count = 0
    for number, batch in enumerate(members.batches(data, 7, own=True, first=first)):
        count += 1
        for member in range(3):
            wanted = expected[member][number]
            assert torch.equal(batch.features[member], wanted.features)
            assert torch.equal(batch.target[member], wanted.target)
            assert batch.target.dtype == torch.int64
            assert (batch.weights is None) == (wanted.weights is None)
            if batch.weights is not None and wanted.weights is not None:
                assert torch.equal(batch.weights[member], wanted.weights)
    assert count == len(expected[0])


def test_one_seed_shares_and_those_that_stay_keep_their_order() -> None:
    same = MemberBatching((Batching(22, 5, 3), Batching(22, 5, 3)))
    assert not same.own
    shared = [batch.target.clone() for batch in same.batches(dataset(), 0, own=False)]
    assert all(
        torch.equal(one, other.target)
        for one, other in zip(shared, Batching(22, 5, 3).batches(dataset(), 0), strict=True)
    )
    three = MemberBatching(tuple(Batching(22, 5, seed) for seed in (1, 2, 3)))
    assert [batching.seed for batching in three.keep([2, 0]).of_members] == [3, 1]
