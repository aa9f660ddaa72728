"""PyTorch by hand, as the tutorials have it: DataLoader, torch.optim.Adam."""

from __future__ import annotations

import torch
from job import Job, Stopwatch
from network import build, predict
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

job = Job.from_command_line()
torch.manual_seed(0)
x, y = job.examples()
loader = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=job.batch_size, shuffle=True)
network = build(job)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(network.parameters(), lr=job.lr)
stopwatch = Stopwatch()
network.train()
for _ in range(job.epochs):
    stopwatch.start()
    for features, target in loader:
        optimizer.zero_grad()
        loss = criterion(network(features), target)
        loss.backward()
        optimizer.step()
    stopwatch.stop()
job.finish(stopwatch.seconds, predict(network, job.held_out_features()))
