"""skorch, without its validation split and its printed log."""

from __future__ import annotations

import torch
from job import EpochTimes, Job, Stopwatch
from network import build, predict
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn


class Timing(EpochTimes, Callback):
    """Times the epochs."""


job = Job.from_command_line()
torch.manual_seed(0)
x, y = job.examples()
stopwatch = Stopwatch()
classifier = NeuralNetClassifier(
    build(job),
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=job.lr,
    batch_size=job.batch_size,
    max_epochs=job.epochs,
    iterator_train__shuffle=True,
    train_split=None,
    callbacks=[("timing", Timing(stopwatch))],
    verbose=0,
)
classifier.fit(x, y)
job.finish(stopwatch.seconds, predict(classifier.module_, job.held_out_features()))
