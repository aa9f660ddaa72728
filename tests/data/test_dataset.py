import pytest
import torch
from batches import copies

from nettool.data.dataset import Batching, Dataset

CPU = torch.device("cpu")


def make_dataset(num_examples: int) -> Dataset:
    numbers = torch.arange(num_examples, dtype=torch.float32)
    return Dataset(numbers[:, None], numbers.long(), numbers / 10)


@pytest.mark.parametrize(("num_examples", "batch_size"), [(10, 3), (9, 3), (5, 1), (4, 7)])
def test_every_example_comes_once_an_epoch_with_its_target_and_weight(num_examples: int, batch_size: int) -> None:
    batching = Batching(num_examples, batch_size, seed=0)
    batches = copies(batching.batches(make_dataset(num_examples), epoch=0))
    assert len(batches) == batching.num_batches
    assert all(len(batch.features) == batch_size for batch in batches[:-1])
    targets = torch.cat([batch.target for batch in batches])
    assert sorted(targets.tolist()) == list(range(num_examples))
    assert torch.equal(torch.cat([batch.features for batch in batches])[:, 0], targets.float())
    assert torch.equal(torch.cat([batch.weights for batch in batches]), targets.float() / 10)  # type: ignore[misc]


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    orders = {
        (seed, epoch): tuple(Batching(100, 10, seed).order(epoch, CPU).tolist()) for seed in (0, 1) for epoch in (0, 1)
    }
    assert len(set(orders.values())) == 4
    assert tuple(Batching(100, 10, 1).order(1, CPU).tolist()) == orders[1, 1]


def test_batches_come_in_the_same_memory_one_after_another() -> None:
    batches = Batching(12, 3, seed=0).batches(make_dataset(12), epoch=0)
    places = {tuple(part.data_ptr() for part in batch if part is not None) for batch in batches}
    assert len(places) == 1


def test_an_epoch_can_be_entered_at_any_batch() -> None:
    dataset, batching = make_dataset(10), Batching(10, 3, seed=0)
    whole = [batch.target.tolist() for batch in batching.batches(dataset, epoch=4)]
    assert [batch.target.tolist() for batch in batching.batches(dataset, epoch=4, first=2)] == whole[2:]


def test_a_batch_of_everything_keeps_the_order_and_copies_nothing() -> None:
    dataset = make_dataset(10)
    (batch,) = Batching(10, 10, seed=0).batches(dataset, epoch=0)
    assert batch.features.data_ptr() == dataset.features.data_ptr()


def test_a_last_batch_of_one_is_left_out_where_asked() -> None:
    batching = Batching(10, 3, seed=0, skip_single=True)
    assert batching.num_batches == 3
    left_out = {tuple(sorted(_epoch(batching, epoch))) for epoch in range(20)}
    assert len(left_out) > 3, "it is always the same example that is left out"
    assert Batching(11, 3, seed=0, skip_single=True).num_batches == 4
    assert Batching(1, 3, seed=0, skip_single=True).num_batches == 1


def _epoch(batching: Batching, epoch: int) -> list[int]:
    return [target for batch in batching.batches(make_dataset(10), epoch) for target in batch.target.tolist()]
