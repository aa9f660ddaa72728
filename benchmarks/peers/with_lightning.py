"""Lightning, without logger, checkpoints, progress bar and summary, all of which cost time."""

from __future__ import annotations

import lightning
import torch
from job import Job, Stopwatch
from network import build, predict
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(lightning.LightningModule):
    """The network, its loss and its optimizer."""

    def __init__(self, network: nn.Module, lr: float) -> None:
        super().__init__()
        self.network = network
        self.lr = lr
        self.criterion = nn.CrossEntropyLoss()

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The loss of a batch."""
        features, target = batch
        loss: Tensor = self.criterion(self.network(features), target)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Timing(lightning.Callback):
    """Times the epochs."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self.stopwatch = stopwatch

    def on_train_epoch_start(self, *_: object) -> None:
        """Start."""
        self.stopwatch.start()

    def on_train_epoch_end(self, *_: object) -> None:
        """Stop."""
        self.stopwatch.stop()


job = Job.from_command_line()
torch.manual_seed(0)
x, y = job.examples()
loader = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=job.batch_size, shuffle=True)
classifier = Classifier(build(job), job.lr)
stopwatch = Stopwatch()
trainer = lightning.Trainer(
    accelerator="cpu",
    max_epochs=job.epochs,
    callbacks=[Timing(stopwatch)],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(classifier, loader)
job.finish(stopwatch.seconds, predict(classifier.network, job.held_out_features()))
