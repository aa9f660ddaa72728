"""What cannot fit into memory is refused by arithmetic, at what is too large."""

from __future__ import annotations

from pathlib import Path

import pytest

from nettool.config.experiment import Experiment
from nettool.config.load import load_mapping
from nettool.config.signature import NumberTarget, Signature, TableExample
from nettool.errors import ConfigError
from nettool.model.plans import NetworkPlan
from nettool.model.shapes import plan_network
from nettool.workflows import room
from nettool.workflows.check import check_config

SIGNATURE = Signature(TableExample(100), NumberTarget(("y",)))


def planned(**changes: object) -> tuple[Experiment, NetworkPlan]:
    config = {
        "data": {"path": "x.csv", "target": "y"},
        "layers": [{"dense": 1000}, {"dense": 10}, "output"],
        "loss": "mse",
    }
    experiment = load_mapping({**config, **changes}).experiment
    return experiment, plan_network(experiment, SIGNATURE)


def refusal(monkeypatch: pytest.MonkeyPatch, free: int, batch_size: int, **changes: object) -> str:
    monkeypatch.setattr(room, "free_bytes", lambda: free)
    monkeypatch.setattr(room, "NVIDIA", Path("/nowhere"))
    with pytest.raises(ConfigError) as caught:
        room.check_room(*planned(**changes), batch_size)
    (mistake,) = caught.value.mistakes
    return f"{'.'.join(map(str, mistake.path))}: {mistake.text}"


def test_weights_that_do_not_fit_are_named_at_the_largest_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, free=2_000_000, batch_size=1) == (
        "layers.0: 101,000 of the network's 111,021 parameters are here. Weights, gradients and what the optimizer keeps "
        "take 0.0036 GB, but 0.002 GB of memory are free. Make it smaller."
    )


def test_what_the_optimizer_keeps_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "NVIDIA", Path("/nowhere"))
    monkeypatch.setattr(room, "free_bytes", lambda: 2_000_000)
    room.check_room(*planned(optimizer="sgd"), 1)  # weights, best ones, gradients, and the copy of them to be saved
    assert "optimizer keeps" in refusal(monkeypatch, 2_000_000, 1, optimizer="adam")  # twice two more


def test_a_batch_that_does_not_fit_is_answered_with_one_that_does(monkeypatch: pytest.MonkeyPatch) -> None:
    text = refusal(monkeypatch, free=50_000_000, batch_size=100_000)
    assert text.startswith("batch_size: a batch of 100,000 examples takes ")
    fitting = int(text.rpartition("free. ")[2].split()[0].replace(",", ""))
    experiment, plan = planned()
    room.check_room(experiment, plan, fitting)
    with pytest.raises(ConfigError):
        room.check_room(experiment, plan, 2 * fitting)


def test_where_not_even_one_example_fits_its_layer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, free=3_554_000, batch_size=4).startswith("layers.0: a batch of 4 examples takes")


def test_where_cuda_may_do_the_work_only_the_weights_must_fit_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(room, "NVIDIA", tmp_path)
    monkeypatch.setattr(room, "free_bytes", lambda: 500_000)
    room.check_room(*planned(), 10**9)
    room.check_room(*planned(runtime={"device": "cuda"}), 10**9)
    with pytest.raises(ConfigError, match="layers"):
        room.check_room(*planned(runtime={"device": "cpu"}), 1)
    monkeypatch.setattr(room, "free_bytes", lambda: 400_000)
    with pytest.raises(ConfigError, match="layers"):
        room.check_room(*planned(), 1)


@pytest.mark.parametrize(
    ("layer", "has_other_memory"), [({"dense": 10}, True), ({"residual": {"layers": [{"dense": 2}]}}, False)]
)
def test_the_last_batch_of_the_closed_form_has_memory_of_its_own(
    tmp_path: Path, layer: dict[str, object], has_other_memory: bool
) -> None:
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"{n / 7},{n % 5},{n / 3}\n" for n in range(100)))
    data = {"path": str(tmp_path / "t.csv"), "target": "y", "split": {"train": 0.8, "validation": 0.2, "test": 0}}

    def taken(batch_size: int) -> int:
        config = {"data": data, "layers": [layer, "output"], "loss": "mse", "batch_size": batch_size}
        return check_config(load_mapping(config), all_rows=True).training_bytes

    each = taken(20) - taken(10)  # which leave no rest of the 80 examples
    assert taken(30) - taken(20) == (3 * each if has_other_memory else each)
