"""nettool find-lr: a learning rate for a config, and a picture of how it was found."""

from __future__ import annotations

from pathlib import Path

from nettool.config.load import Loaded
from nettool.errors import UsageError
from nettool.runs import durable
from nettool.training.rate_race import FoundRate
from nettool.workflows.prepare import prepare_training
from nettool.workflows.rate import find_rate


def find_lr(loaded: Loaded) -> FoundRate:
    """Read the data, build the network, raise the rate, and race for the best. Writes nothing.

    Raises ConfigError or DataError for whatever keeps the training from making sense.
    """
    if loaded.experiment.optimizer.lr == "auto":
        loaded = loaded.with_rate(1.0)  # or a search would come before the search
    return find_rate(prepare_training(loaded))


def draw(found: FoundRate, path: Path) -> None:
    """The losses against the rate, as a png. Raises UsageError for another kind of file or one that is there."""
    check_picture(path)

    from nettool.plots.figures import as_png
    from nettool.plots.sweeps import rate_test

    test, laps = found.test, [(lap.rate, lap.loss) for lap in found.laps]
    durable.write_file(path, as_png(rate_test(test.rates, test.losses, test.smooth, laps, found.measured)))


def check_picture(path: Path) -> None:
    """Before all the work is done."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: pictures are written as .png.")
    if path.exists():
        raise UsageError(f"{path} is there already. Name a file that is not there yet.")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}.")
