"""PyTorch by hand, without a DataLoader: all data one tensor, an index for each batch, the fused Adam."""

from __future__ import annotations

import torch
from job import Job, Stopwatch
from network import build, predict
from torch import nn

job = Job.from_command_line()
torch.manual_seed(0)
x, y = (torch.from_numpy(array) for array in job.examples())
network = build(job)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(network.parameters(), lr=job.lr, fused=True)
stopwatch = Stopwatch()
network.train()
for _ in range(job.epochs):
    stopwatch.start()
    for rows in torch.randperm(len(x)).split(job.batch_size):
        optimizer.zero_grad()
        loss = criterion(network(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    stopwatch.stop()
job.finish(stopwatch.seconds, predict(network, job.held_out_features()))
